"""A rule file as a form, and back, without touching what the form did not change.

model.py     what the form shows
reading.py   text → form, or why the form cannot show it
writing.py   text and a changed form → text: only what changed is written, comments and layout stay
conditions.py the same of conditions
needs.py     the same of the series of a study
rendering.py conditions and actions as YAML
spans.py     where things stand in the text
yaml.py      values as YAML
"""

from node.core.rules.form.model import Action, Clause, Form, Group, Need, Node, NotAFormError
from node.core.rules.form.reading import read_form
from node.core.rules.form.writing import write_form

__all__ = ["Action", "Clause", "Form", "Group", "Need", "Node", "NotAFormError", "read_form", "write_form"]
