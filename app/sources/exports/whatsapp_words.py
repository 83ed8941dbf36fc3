"""Tells a WhatsApp message's own words from those that WhatsApp writes in their place or behind them.

Most of it goes by shape and not by language: iOS puts a mark of direction in front of what it writes itself,
Android angle brackets around it, and both write a file's name with its ending. The rest are lists.
"""

from __future__ import annotations

import re

MARK = "\u200e"
# <Media omitted>, in any language, and <attached: 0001-PHOTO.jpg>. With a caption Android writes that below.
ONLY_BRACKETS = re.compile(r"<[^<>\n]{3,300}>")
# IMG-20231231-WA0001.jpg (file attached)
ATTACHED = re.compile(
    r"[^\n]{1,300}\.(?:jpe?g|png|webp|gif|heic|mp4|3gp|mov|avi|opus|ogg|m4a|mp3|aac|amr|wav|pdf|docx?|odt|"
    r"xlsx?|pptx?|txt|csv|zip|rar|vcf|apk) \([^()\n]{3,60}\)",
    re.IGNORECASE,
)
# Behind the words: <This message was edited>, <attached: 0001-PHOTO.jpg>.
BEHIND = re.compile(r"\s*<[^<>\n]{0,80}\s[^<>\n]{1,300}>\s*$")
# Exports of iOS before 2019 have no mark in front of these: one to three words, then "omitted".
OMITTED = re.compile(
    r"(?:[\w-]+ ){1,3}(?:omitted|weggelassen|ausgeschlossen|omitid[oa]s?|ocultad[oa]|ocult[oa]|omess[oaie]|"
    r"inclus[oa]|omise?s?|absente?|weggelaten|utelämnad|utelämnat|udeladt|utelatt|pominięt[oey]|"
    r"vynechán[oay]?|пропущен[оаы]?|отсутствует|disertakan|edilmedi)",
    re.IGNORECASE,
)
DELETED = frozenset(
    phrase.strip()
    for phrase in """this message was deleted|you deleted this message|message deleted
    diese nachricht wurde gelöscht|du hast diese nachricht gelöscht
    ce message a été supprimé|vous avez supprimé ce message
    se eliminó este mensaje|eliminaste este mensaje|este mensaje fue eliminado
    questo messaggio è stato eliminato|hai eliminato questo messaggio
    mensagem apagada|você apagou esta mensagem|esta mensagem foi apagada|esta mensagem foi eliminada
    dit bericht is verwijderd|u hebt dit bericht verwijderd|je hebt dit bericht verwijderd
    du raderade det här meddelandet|det här meddelandet har raderats
    denne besked blev slettet|du slettede denne besked|denne meldingen ble slettet|du slettet denne meldingen
    tämä viesti poistettiin|poistit tämän viestin
    ta wiadomość została usunięta|usunięto tę wiadomość
    tato zpráva byla odstraněna|bu mesaj silindi|bu mesaj\u0131 sildiniz
    данное сообщение удалено|вы удалили данное сообщение|це повідомлення видалено
    pesan ini telah dihapus|anda menghapus pesan ini|此消息已删除|此訊息已刪除|你已删除此消息
    このメッセージは削除されました|삭제된 메시지입니다|تم حذف هذه الرسالة|הודעה זו נמחקה
    null|waiting for this message. this may take a while""".replace("\n", "|").split("|")
)
POLL = re.compile(r"(?:POLL|UMFRAGE|SONDAGE|ENCUESTA|SONDAGGIO|ENQUETE|PEILING|ОПРОС|ANKET):\n")
# A place, or a link and nothing else.
LINK = re.compile(r"(?:[^\W\d_]{2,20}:? )?https?://\S+")


def own_words(text: str, *, marked: bool) -> str:
    """What the sender wrote; "" for media without words, and what was deleted, polls, places and bare links.

    `marked`: the line began with a mark of direction, so that a caption ends where the next mark stands.
    """
    if marked:
        text = text.partition(MARK)[0] if not text.startswith(MARK) else ""
    text = text.strip()
    if text.startswith(MARK):
        return ""
    text = text.split(f"{MARK}<", 1)[0]
    first, _, rest = text.partition("\n")
    if ONLY_BRACKETS.fullmatch(first.strip()) or ATTACHED.fullmatch(first.strip()):
        text = rest
    text = BEHIND.sub("", text[-400:]) if len(text) <= 400 else text[:-400] + BEHIND.sub("", text[-400:])
    text = text.strip()
    alone = text.casefold().rstrip(".")
    if alone in DELETED or OMITTED.fullmatch(text) or POLL.match(text) or LINK.fullmatch(text):
        return ""
    return text
