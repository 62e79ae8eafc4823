"""Rules of the whole tree: what the code may import, call and be called, and what its text may say.

Which file breaks a rule is found by sources.py and rules.py; each rule is one short test, and
test_rules_find_offences.py shows that every rule fails where it should.
"""
