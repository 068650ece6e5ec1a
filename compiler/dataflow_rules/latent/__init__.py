"""Rules of latent attention: what heads make of latents, and the work that it takes.

functions: LATENT_RULES, latent_sizes
amounts: LatentAmounts, LATENT_PRODUCTS, latent_amounts, latent_elements
"""
