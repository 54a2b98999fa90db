"""Benchmarks: each module measures one thing against the bare library in the same run and prints JSON.

They refuse to judge: no figure passes or fails, and nothing here is asserted by a test but its shape.
Figures are ratios first; absolute ones belong to the machine they were taken on.
"""
