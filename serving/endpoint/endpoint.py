"""Endpoint: what all requests share, and the admission of one of them."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import final

from serving.endpoint.clock import InstantClock
from serving.endpoint.completion import Completion, created_now
from serving.endpoint.deployment import Deployment
from serving.endpoint.fault_injection import CUT, FaultInjector, injected_refusal
from serving.endpoint.rate_limits import RateLimits
from serving.endpoint.request_log import log_event
from serving.endpoint.settings import EndpointSettings, make_clock
from serving.wire.answers import Identity
from serving.wire.errors import invalid_api_key, model_not_found, shutting_down
from serving.wire.rate_limit_headers import rate_limit_headers
from serving.wire.reply_text import reply, text_seed
from serving.wire.request_body import RequestBody
from specs.errors import SpecError, nearest

_ID_DIGITS = 26


@final
class Endpoint:
    """State of an endpoint.

    Parameters
    ----------
    deployments
        Models that are served.
    settings
        Everything else.

    Raises
    ------
    SpecError
        If two models share a name, or the clock's settings contradict each other.
    """

    def __init__(
        self, deployments: Iterable[Deployment], settings: EndpointSettings
    ) -> None:
        self.settings = settings
        self.clock = make_clock(settings)
        self.deployments = tuple(deployments)
        self.limits = RateLimits(settings.limits)
        self.created_s = created_now()
        self.draining = False
        self.completions: dict[str, Completion] = {}
        self._faults = FaultInjector(settings.faults, settings.seed, settings.script)
        self._by_name: dict[str, Deployment] = {}
        self._requests = 0
        for deployment in self.deployments:
            for name in deployment.names:
                if name in self._by_name:
                    raise SpecError(f"two models are served as {name}; rename one")
                self._by_name[name] = deployment

    def request_id(self) -> str:
        """Return the identifier of the next request: a hash of seed and number."""
        self._requests += 1
        key = f"{self.settings.seed}/{self._requests}".encode()
        return f"req_{hashlib.sha256(key).hexdigest()[:_ID_DIGITS]}"

    def organisation(self, authorization: str) -> str:
        """Return whose limits count: those of the key.

        Raises
        ------
        WireError
            If the endpoint has a key and the request another one.
        """
        key = authorization.removeprefix("Bearer ").strip()
        wanted = self.settings.api_key
        if wanted is not None and key != wanted:
            raise invalid_api_key()
        return hashlib.sha256(key.encode()).hexdigest()

    def deployment(self, name: str) -> Deployment:
        """Return the model of a name.

        Raises
        ------
        WireError
            If it is not served.
        """
        if name not in self._by_name:
            hint = nearest(name[:64], self._by_name)
            raise model_not_found(name[:64], hint)
        return self._by_name[name]

    def headers(self, organisation: str, model: str, request_id: str) -> dict[str, str]:
        """Return the headers that every answer has."""
        now_s = self.clock.limits_s()
        state = self.limits.state(organisation, model, now_s)
        return {"x-request-id": request_id, **rate_limit_headers(state)}

    def admit(
        self, body: RequestBody, organisation: str, request_id: str, *, chat: bool
    ) -> Completion:
        """Return the completion of a request that arrives now.

        Parameters
        ----------
        body
            Its body, checked.
        organisation, request_id
            Whose limits count, and the identifier of the request.
        chat
            Whether it is a chat.

        Raises
        ------
        WireError
            If it is refused: by the model, a limit, the queue or an injected fault.
        """
        if self.draining:
            raise shutting_down()
        deployment = self.deployment(body.model)
        prompt_tokens = body.prompt_tokens()
        asked = deployment.answer_tokens(
            body, prompt_tokens, self.settings.answer_tokens
        )
        fault = self._faults.next_fault()
        refusal = fault and injected_refusal(fault, body.model, body.tier)
        if refusal:
            raise refusal
        if isinstance(self.clock, InstantClock) and not self.completions:
            self.clock.jump(deployment.next_cycle_ps(self.clock.now_ps()))
        model, now_s = deployment.names[0], self.clock.limits_s()
        prefix = deployment.look_up(body, self.clock.now_ps())
        # Cached tokens do not count.
        counted = prompt_tokens - prefix.cached.tokens
        try:
            self.limits.take(
                organisation, model, body.tier, counted, asked, now_s=now_s
            )
        except Exception:
            deployment.withdraw(prefix)
            raise
        words = text_seed(self.settings.seed, body.seed, model, body.content_key())
        text = reply(words, asked, body.stops, limited=body.token_limit is not None)
        try:
            flight = deployment.enter(
                self.clock.now_ps(), prompt_tokens, text.tokens, body.tier, prefix
            )
        except Exception:
            deployment.withdraw(prefix)
            self.limits.give_back(organisation, model, counted, asked)
            raise
        kind = "chatcmpl" if chat else "cmpl"
        completion = Completion(
            clock=self.clock,
            deployment=deployment,
            flight=flight,
            identity=Identity(
                answer_id=f"{kind}-{request_id.removeprefix('req_')}",
                request_id=request_id,
                created_s=created_now(),
                model=body.model,
                fingerprint=deployment.fingerprint,
            ),
            reply=text,
            asked_tokens=asked,
            tier=body.tier,
            chat=chat,
            usage_frame=body.wants_usage_frame,
            usage_so_far=body.wants_usage_so_far,
            cut_after=self._faults.cut_after(text.tokens) if fault == CUT else None,
        )
        self.completions[request_id] = completion
        return completion

    def ended(self, completion: Completion, organisation: str, made: int) -> None:
        """Take note of a completion that is over, and of the tokens it made."""
        del self.completions[completion.identity.request_id]
        self.limits.give_back(
            organisation,
            completion.deployment.names[0],
            0,
            completion.asked_tokens - made,
        )

    async def drain(self) -> None:
        """Let answers in flight end; after a while stop the rest, oldest first."""
        self.draining = True
        left = list(self.completions.values())
        log_event("draining", in_flight=len(left), drain_s=self.settings.drain_s)
        if left:
            ends = [asyncio.ensure_future(each.ended.wait()) for each in left]
            _, late = await asyncio.wait(ends, timeout=self.settings.drain_s)
            for task in late:
                task.cancel()
        stopped = 0
        for completion in left:
            if not completion.ended.is_set():
                completion.stopped.set()
                await completion.ended.wait()
                stopped += 1
        log_event("drained", stopped=stopped)
