"""A memory service: remembers what users say, finds it again, and chats with it in mind.

Run: MEMORIES=memories.sqlite3 uvicorn --factory app:create_app
"""

import os
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from provider import Provider, ProviderError
from service import BadCursor, Service

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
User = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Calls = Annotated[Provider, Depends(Provider)]


class Said(BaseModel):
    """A message of a user's."""

    model_config = ConfigDict(extra="forbid")
    message: Text


class Sought(BaseModel):
    """A question to the memories."""

    model_config = ConfigDict(extra="forbid")
    query: Text
    limit: int = Field(default=5, ge=1, le=50)


def create_app():
    """The service on the file that MEMORIES names."""
    service = Service(os.environ.get("MEMORIES", "memories.sqlite3"))

    @asynccontextmanager
    async def life(_):
        yield
        service.close()

    app = FastAPI(title="Memory service", lifespan=life)
    app.add_exception_handler(ProviderError, provider_failed)
    app.add_exception_handler(BadCursor, bad_cursor)
    app.add_exception_handler(RequestValidationError, bad_input)

    @app.get("/health")
    def health():
        return {"status": "ok"}

    @app.post("/users/{user}/memories", status_code=201)
    def add(user: User, said: Said, provider: Calls, response: Response):
        memories = service.add(user, said.message, provider)
        response.headers["Server-Timing"] = provider.timing()
        return {"memories": memories}

    @app.get("/users/{user}/memories")
    def page(user: User, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: str | None = None):
        return service.page(user, limit, cursor)

    @app.post("/users/{user}/memories/search")
    def search(user: User, sought: Sought, provider: Calls, response: Response):
        memories = service.search(user, (sought.query, sought.limit), provider)
        response.headers["Server-Timing"] = provider.timing()
        return {"memories": memories}

    @app.post("/users/{user}/chat")
    def chat(user: User, said: Said, provider: Calls, response: Response):
        answer = service.chat(user, said.message, provider)
        response.headers["Server-Timing"] = provider.timing()
        return answer

    return app


def provider_failed(_, error):
    return JSONResponse({"detail": f"the model provider failed: {error}"}, status_code=502)


def bad_cursor(_, error):
    return JSONResponse({"detail": str(error)}, status_code=422)


def bad_input(_, error):
    """Says what is wrong where, but not what was sent: it may be private, or no text at all."""
    problems = [f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors()]
    return JSONResponse({"detail": "; ".join(problems)}, status_code=422)
