"""What all pages use: requests, forms, cookies, templates and errors."""
