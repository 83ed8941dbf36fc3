"""From a request to a reply, by draft and verify."""
