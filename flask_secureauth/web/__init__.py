"""The only place that touches ``flask.request``: guard, transport, dispatch, blueprints, answers."""
