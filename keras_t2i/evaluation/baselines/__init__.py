"""What a generator is compared with: ceilings and floors that draw without a network."""
