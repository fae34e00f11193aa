"""What ceo and ceod share."""
