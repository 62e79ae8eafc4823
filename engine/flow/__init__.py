"""Smart-flow detection: prints into orders, packets and clusters, clusters into hypotheses.

It is blind to what is hidden: nothing here may import labels, the subtypes of bursts or the
generator, see the import contracts.
"""
