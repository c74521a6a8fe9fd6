"""Rule sets in use: what is kept of series to try others on, versions, trials, and drafts in the shadow."""
