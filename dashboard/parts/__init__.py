"""What pages are made of: plain functions from the API's documents to components and chart data."""
