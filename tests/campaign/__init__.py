"""Programs that hurt the product and count what is bought and lost; each is ``python -m tests.campaign.NAME``."""
