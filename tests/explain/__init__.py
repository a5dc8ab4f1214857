"""Tests of explanations, against captum called plainly, closed forms and brute force."""
