"""The quality reports (Data Docs), for those who are logged in."""
