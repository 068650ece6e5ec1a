"""compiler.search.branch_and_bound."""
