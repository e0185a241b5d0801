"""AffordGrasp: cross-modal diffusion for affordance-aware grasp synthesis (affordgrasp)."""
