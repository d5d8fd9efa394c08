"""The controller: it follows a branch, plans on each revision, and applies what it may."""
