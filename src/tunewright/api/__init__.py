"""The HTTP face: one file an OpenAI resource, each route a translation to one call.

`create_api` (in `api.application`) makes the ASGI application; `api.server` runs it.
"""
