"""What a batch found, as JSON, CSV and a page of HTML."""
