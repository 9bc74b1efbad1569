from contextlib import closing
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tunewright.api.acting import acting, usage
from tunewright.api.bodies import check_encoding, read_json
from tunewright.api.multipart import PART, receive
from tunewright.api.once import once
from tunewright.records.record import Record
from tunewright.records.uploads import Upload


async def create(request: Request) -> Response:
    body = await read_json(request)

    def effect() -> Upload:
        # The new one is among those that are counted.
        upload = acting(request).uploads.create(**body)
        usage(request).check_disk(acting(request).caller.organisation, 0)
        return upload

    return await once(request, effect)


async def add_part(request: Request) -> Response:
    check_encoding(request)
    uploads, id = acting(request).uploads, request.path_params["id"]
    organisation, limits = acting(request).caller.organisation, usage(request)
    upload = await run_in_threadpool(uploads.pending, id)  # else 64 MiB would be sent in vain
    with closing(await run_in_threadpool(limits.arrival, organisation, upload.bytes)) as arrival:
        draft = partial(uploads.part, id)
        async with receive(request, draft, PART, room=arrival.more) as form:

            def effect() -> Record:
                limits.check_part(organisation, upload, form.size)
                return form.publish()

            return await once(request, effect, before=form.seal)


async def complete(request: Request) -> Response:
    body = await read_json(request)
    assembly = acting(request).uploads.assembly(request.path_params["id"], body)
    try:
        return await once(request, assembly.publish, before=assembly.seal)
    finally:
        await run_in_threadpool(assembly.close)


async def cancel(request: Request) -> Response:
    uploads, id = acting(request).uploads, request.path_params["id"]
    answer = await once(request, lambda: uploads.move(id, status="cancelled"))
    await run_in_threadpool(uploads.sweep)  # files go when what they are for is surely gone
    return answer


routes = [
    Route("/v1/uploads", create, methods=["POST"]),
    Route("/v1/uploads/{id}/parts", add_part, methods=["POST"]),
    Route("/v1/uploads/{id}/complete", complete, methods=["POST"]),
    Route("/v1/uploads/{id}/cancel", cancel, methods=["POST"]),
]
