"""What the description of the API says beyond the table of endpoints: answers, parameters, examples."""
