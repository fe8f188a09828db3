"""Reads the newest message of a Maildir, as JSON: the view of a mail reader that is not ours.

usage: read_mail.py MAILDIR
"""

import email
import email.policy
import json
import pathlib
import sys


def main(maildir):
    files = sorted(pathlib.Path(maildir, "new").iterdir(), key=lambda file: file.stat().st_mtime_ns)
    message = email.message_from_bytes(files[-1].read_bytes(), policy=email.policy.default)
    json.dump(
        {
            "count": len(files),
            "from": message["From"],
            "to": message["To"],
            "subject": message["Subject"],
            "text": message.get_body(("plain",)).get_content(),
            "html": message.get_body(("html",)).get_content(),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1])
