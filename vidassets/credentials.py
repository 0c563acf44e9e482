"""Credentials in URLs, which must not be stored or shown: `https://name:password@host`, `?token=…`, signed links."""

import re
from urllib.parse import unquote

# The part of a URL before the path; a port that is no number is part of a password with a slash in it.
USERINFO = re.compile(
    r"\b(?P<scheme>(?!tar:|file:)[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s'\"]*(@|:(?!\d*(?:[/?#\s'\")\],;]|$))[^@\s'\"]*@?)"
)
PARAMETER = re.compile(r"(?P<before>[?&;#])(?P<name>[^=&;#?\s'\"]+)=(?P<value>[^&;#\s'\"]+)")
SECRET_NAME = re.compile(
    r"token|secret|passw|pwd|signature|credential|api[-_]?key|access[-_]?key|auth|^(sig|key|pw|pass|se|sp|sv)$", re.I
)
# Names of fields and settings that hold nothing but a secret.
SECRET_FIELD = re.compile(r"(^|_)(api_key|token|secret|password)$")


def credential_in(text: str) -> str | None:
    """Return what kind of credential a text with a URL contains; None if it contains none.

    >>> credential_in("https://name:password@host/v1"), credential_in("https://host/a.mp4?X-Amz-Signature=0")
    ('a user name or password', 'the parameter X-Amz-Signature')
    >>> credential_in("tar://a:b@c.mp4::file:///x.tar"), credential_in("tar://a.mp4::https://name@host/x.tar")
    (None, 'a user name or password')
    >>> credential_in("https://host:8000/a@b.mp4?part=1"), credential_in("s3://bucket/a?token=1.mp4")
    (None, None)
    """
    if text.startswith("tar://"):
        text = text.partition("::")[2]  # a name in a tar may contain any character
    if USERINFO.search(text):
        return "a user name or password"
    if "://" not in text or text.startswith("s3://"):  # a key of S3 may contain any character
        return None
    names = (unquote(match["name"]) for match in PARAMETER.finditer(text))
    return next((f"the parameter {name}" for name in names if SECRET_NAME.search(name)), None)


def without_credentials(text: str) -> str:
    """Return a text in which the credentials of all URLs are replaced by `***`.

    >>> without_credentials("https://name:password@host/v1?token=1&part=2")
    'https://***@host/v1?token=***&part=2'
    """
    text = USERINFO.sub(lambda match: f"{match['scheme']}***@", text)
    if "://" not in text:
        return text
    return PARAMETER.sub(
        lambda match: (
            match[0][: -len(match["value"])] + "***" if SECRET_NAME.search(unquote(match["name"])) else match[0]
        ),
        text,
    )
