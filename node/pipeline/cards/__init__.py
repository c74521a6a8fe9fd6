"""Models as people look at them: the card, and how the model does here.

activity.py   its jobs of late: how many a day, how long, how unlike the usual
models.py     all models, and one of them
"""

from node.pipeline.cards.activity import Activity, activity
from node.pipeline.cards.models import Look, ModelPage, Summary

__all__ = ["Activity", "Look", "ModelPage", "Summary", "activity"]
