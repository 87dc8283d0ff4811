"""What stands on a page: numbers, sentences, tables, their format and their markup."""
