"""The parts of a page: numbers, sentences, tables, their format and their markup."""
