"""The club's library: its books, their copies, who has them."""
