"""Measures what steering costs in speed, with the product's own parts; `costeer bench` shows it.

The modes take turns on the same prompts, so that noise affects all alike.
"""
