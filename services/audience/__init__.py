"""Who the customers are, what they agreed to, and whom a campaign or a send request reaches."""
