"""What steering costs, measured with the product's own parts; `costeer bench` shows it.

The modes take turns on the same prompts, so that noise hits all alike.
"""
