"""What the product knows of the service: answers, transport, client, catalogue, fields."""
