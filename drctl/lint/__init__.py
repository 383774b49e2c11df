"""What drctl finds wrong in a configuration: the tables' checks and the rules beyond them."""
