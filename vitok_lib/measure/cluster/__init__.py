"""The same evaluation on the processes of a Ray cluster: one of this machine, or one that others started."""
