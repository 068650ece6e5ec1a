"""Latent attention on a tensor group: latents on every chip, heads split over them.

projections: multiply_latents, norm_latents, place_latents
absorbed: absorbed_scores, absorbed_values
expanded: expanded_scores, expanded_values
forms: LatentForms, layer_forms, latent_forms, latent_bytes, score_latents,
    attend_latents
"""
