"""Studies: what is measured of each image beside the metrics of an evaluation."""
