"""Failures between this host and the model hub."""

from __future__ import annotations

from glm4v_tui.diagnosis.row import RAISED, Row
from glm4v_tui.errors import CheckpointError

_ELSEWHERE = (
    "Or download the model elsewhere and name its folder, or choose one that is in the cache "
    "(glm4v-tui model list)."
)


def _row(
    name: str, words: str, title: str, meaning: str, remedy: str, *, is_general: bool = False
) -> Row:
    return Row(name, words, title, meaning, remedy, CheckpointError, "hub", is_general)


HUB_ROWS = (
    _row(
        "hub-gated",
        r"GatedRepo|Cannot access gated repo|access a gated repo|is a gated repository"
        r"|Access to model .* is restricted",
        "The hub does not give out this model without an account",
        "Its makers ask for consent to a license first.",
        "Accept its license on the hub's page, then run: hf auth login",
    ),
    _row(
        "hub-revision",
        rf"{RAISED}RevisionNotFound|Revision Not Found for url|is not a valid git identifier",
        "The hub has no such revision of this model",
        "No branch, tag or commit of the repository has this name.",
        "Leave out the part after @, or look up the names on the hub's page.",
    ),
    _row(
        "hub-unknown-model",
        rf"{RAISED}RepositoryNotFound|Repository Not Found for url"
        r"|is not a local folder (?:and is not|or) a valid (?:model identifier|repository name)"
        r"|is not a valid model identifier",
        "The hub has no such model",
        "The name is neither a folder here nor a repository that the hub shows to you; one that is "
        "private looks the same.",
        "Check the hub id or the path; GLM models moved from THUDM to zai-org. A private one "
        "needs: hf auth login",
    ),
    _row(
        "hub-offline",
        r"OfflineModeIsEnabled|outgoing traffic has been disabled"
        r"|offline mode is enabled|HF_HUB_OFFLINE='?1",
        "The model is not in the cache, and the hub is switched off",
        "HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set.",
        "Unset HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE to download it, or name a folder.",
    ),
    _row(
        "hub-endpoint",
        r"Request URL (?:is missing|has an unsupported)|UnsupportedProtocol|InvalidURL"
        r"|Invalid URL|No scheme supplied",
        "The address of the hub is none",
        "HF_ENDPOINT must be a whole address.",
        "Set it like HF_ENDPOINT=https://hf-mirror.com, or unset it for huggingface.co.",
    ),
    _row(
        "hub-name",
        r"Name or service not known|Temporary failure in name resolution"
        r"|nodename nor servname|No address associated with hostname|getaddrinfo failed"
        r"|NameResolutionError",
        "The name of the hub cannot be looked up",
        "There is no network, no DNS server answers, or HF_ENDPOINT names a host that does not "
        "exist.",
        f"Check the connection and HF_ENDPOINT. {_ELSEWHERE}",
    ),
    _row(
        "hub-certificate",
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|SSLCertVerificationError"
        r"|WRONG_VERSION_NUMBER|SSL: [A-Z_]+\]|SSLError",
        "The connection to the hub is not trusted",
        "Its certificate could not be checked: a company's proxy that opens connections, a wrong "
        "clock, or a mirror without https.",
        "Set SSL_CERT_FILE to your company's certificates; check the clock and HF_ENDPOINT. "
        f"{_ELSEWHERE}",
    ),
    _row(
        "hub-proxy",
        r"ProxyError|Tunnel connection failed|Proxy Authentication Required"
        r"|Unable to connect to proxy|Unknown scheme for proxy",
        "The proxy does not let the hub through",
        "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names a proxy that refuses or does not answer.",
        f"Check these variables, or unset them where no proxy is needed. {_ELSEWHERE}",
    ),
    _row(
        "hub-busy",
        r"429 (?:Client Error|Too Many Requests)|Too Many Requests",
        "The hub asks to come back later",
        "Too many requests came from this address.",
        "Wait some minutes and start again: a download goes on where it stopped. An account helps: "
        "hf auth login",
    ),
    _row(
        "hub-refuses",
        r"(?:HfHubHTTPError|HTTPStatusError).*?\b40[13]\b|40[13] Forbidden|401 Client Error"
        r"|Invalid credentials in Authorization header|Invalid username or password",
        "The hub refuses this account",
        "The token is wrong, expired, or has no right to read this model; behind a mirror, a model "
        "that does not exist may look the same.",
        "Run: hf auth login, with a token that may read it; or unset HF_TOKEN for a public model.",
    ),
    _row(
        "hub-trouble",
        r"\b50[0234] (?:Server Error|Internal Server Error|Bad Gateway|Service)"
        r"|Server error '50\d",
        "The hub has trouble of its own",
        "It answered, with an error of its own.",
        "Start again in some minutes: a download goes on where it stopped. Behind a mirror, check "
        "HF_ENDPOINT.",
    ),
    _row(
        "disk-full",
        r"No space left on device|Disk quota exceeded",
        "The disk is full",
        "The model's files did not fit.",
        "Make room (glm4v-tui model list shows what models take), or set HF_HOME to a folder on a "
        "larger disk; the download goes on where it stopped.",
    ),
    _row(
        "hub-unreachable",
        r"couldn't connect to '|LocalEntryNotFound|ConnectError|ConnectTimeout|ReadTimeout"
        r"|ReadError|RemoteProtocolError|NewConnectionError|ConnectionError: |Connection refused"
        r"|Connection reset by peer|Network is unreachable|server cannot send the requested data",
        "The hub cannot be reached",
        "Nothing answered, or the connection broke off too often.",
        "Check the connection (behind a mirror, set HF_ENDPOINT), and start again: a download goes "
        f"on where it stopped. {_ELSEWHERE}",
        is_general=True,
    ),
)
