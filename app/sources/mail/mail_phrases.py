"""What mail programs write around quotations and below mails, in the languages of their translations.

After the lists of Thunderbird's, Apple Mail's and Outlook's localisations, and of parsers of replies.
"""

from __future__ import annotations

import re


def _any(*phrases: str) -> str:
    return f"(?:{'|'.join(phrases)})"


# The verb in the line above a quotation.
WROTE = re.compile(
    _any(
        *("wrote", "writes", "sent", "schrieb", "schreibt", "a écrit", "écrivait", "écrit", "escribi[óo]"),
        *("ha scritto", "escreveu", "schreef", "heeft .{1,80} geschreven", "skrev", "skriver", "kirjoitti"),
        *(r"napisał(?:\(a\)|a|\(-a\))?", "pisze", r"nap[ií]sal(?:\(a\)|a)?", r"написал(?:\(а\)|а)?", "пишет"),
        *(r"написав(?:\(ла\))?", "írta", "yazdı", "έγραψε", "a scris", "va escriure", "đã viết", "写道"),
        *("寫道",),
        *("のメール", "書きました", "님이 작성", "כתב"),
    ),
    re.IGNORECASE,
)
# How such a line begins where it is wrapped.
OPENS = re.compile(
    _any(
        *(
            "On",
            "Am",
            "Le",
            "El",
            "Il",
            "Em",
            "Op",
            "Den",
            "På",
            "Dne",
            "Dnia",
            "W dniu",
            "Pe",
            "În data",
            "Vào",
        ),
        *("In a message dated", "В", "Στις", "Με ημερομηνία"),
    )
    + r"\s"
)
# The divider above a mail that is quoted or forwarded below.
DIVIDER = re.compile(
    r"\s*[-_*=—]{2,}\s*"
    + _any(
        "original[- ]?(?:message|nachricht|meddelande|meddelelse|melding|e-?mail)",
        "(?:reply|forwarded|fwd) (?:message|mail|email).{0,60}",
        "(?:weitergeleitete|ursprüngliche) (?:nachricht|mail|e-mail)",
        "message (?:d['\N{RIGHT SINGLE QUOTATION MARK}]origine|original|transféré|transmis)",
        *("mensaje (?:original|reenviado)", "messaggio (?:originale|inoltrato)"),
        *("mensagem (?:original|encaminhada)", "(?:oorspronkelijk|doorgestuurd) bericht"),
        "(?:ursprungligt|vidarebefordrat) (?:meddelande|mejl)",
        "(?:oprindelig|videresendt|opprinnelig) (?:meddelelse|melding|besked)",
        *("(?:alkuperäinen|välitetty) viesti", "(?:oryginalna|przekazana) wiadomość"),
        *("wiadomość (?:oryginalna|przekazana dalej)", "původní (?:zpráva|e-mail)", "přeposlaná zpráva"),
        *("(?:eredeti|továbbított) üzenet", "(?:исходное|пересылаемое) сообщение"),
        *("оригінальне повідомлення", "orijinal (?:ileti|mesaj)", "原始邮件", "转发的邮件", "轉寄郵件"),
        *("元のメッセージ", "転送されたメッセージ", "원본 메시지", "전달된 메시지"),
    )
    + r"\s*[-_*=—]*\s*",
    re.IGNORECASE,
)
# Apple Mail's divider has no dashes.
FORWARDED = re.compile(
    r"\s*"
    + _any(
        *("begin forwarded message", "anfang der weitergeleiteten (?:nachricht|e-mail)"),
        *("début du message (?:réexpédié|transféré)", "inicio del mensaje reenviado"),
        *("inizio messaggio inoltrato", "início da mensagem (?:reencaminhada|encaminhada)"),
        *("begin doorgestuurd bericht", "vidarebefordrat brev", "start på videresendt besked"),
        *("videresendt melding", "alkaa välitetty viesti", "rozpoczęcie przekazywanej wiadomości"),
        *("転送されたメッセージ", "下面是被转发的邮件"),
    )
    + r"\s*[:：]\s*",
    re.IGNORECASE,
)


def _header(*names: str) -> re.Pattern[str]:
    """A line of Outlook's block of headers; in plain text a bold name stands between asterisks."""
    return re.compile(rf"\s*\*?{_any(*names)}\s*\*?\s*[:：]\*?", re.IGNORECASE)


FROM = _header(
    *("from", "von", "de", "da", "van", "från", "fra", "lähettäjä", "od", "feladó", "kimden", "от", "від"),
    *("από", "发件人", "寄件者", "差出人", r"보낸\s*사람"),
)
SENT = _header(
    *("sent", "date", "gesendet", "datum", r"envoyé(?:\s+le)?", r"enviado(?:\s+e[lm])?", "fecha", "inviato"),
    *("data", "message du", "verzonden", "skickat", "sendt", "dato", "lähetetty", "päivämäärä", "wysłan[eo]"),
    *("odesláno", "elküldve", "gönderildi", "tarih", "отправлено", "дата", "надіслано", "εστάλη"),
    *("ημερομηνία", "发送时间", "发送日期", "日期", "送信日時", "日時", "日付", r"보낸\s*날짜", "날짜"),
)
TO = _header(
    *("to", "an", "à", "a", "para", "aan", "till", "til", "vastaanottaja", "do", "komu", "címzett", "kime"),
    *("кому", "προς", "收件人", "收件者", "宛先", r"받는\s*사람"),
)
SUBJECT = _header(
    *("subject", "betreff", "objet", "sujet", "asunto", "oggetto", "assunto", "onderwerp", "ämne", "emne"),
    *("aihe", "temat", "předmět", "tárgy", "konu", "тема", "θέμα", "主题", "主旨", "件名", "제목"),
)
# What telephones and programs write below a mail by themselves.
SENT_FROM = re.compile(
    r"\s*"
    + _any(
        r"sent (?:from|via|with) (?:my|mail|outlook|yahoo|gmail|proton|the all new aol)\b.{0,80}",
        r"sent (?:from|via|with|by) .{1,60}<?https?://\S{1,200}",
        *(r"get outlook for \S.{0,80}", "von meinem .{1,60} gesendet", "gesendet (?:von|mit|über) .{1,80}"),
        *("diese nachricht wurde von meinem .{1,80}", "(?:holen sie sich )?outlook für .{1,60}"),
        *("envoyé (?:de|depuis|à partir) .{1,80}", "(?:télécharger|obtenir|obtenez) outlook .{1,60}"),
        *("enviado (?:desde|do|a partir) .{1,80}", "(?:obtener|obter) (?:o )?outlook .{1,60}"),
        *(r"inviato da\S* .{1,80}", "(?:ottieni|scarica) outlook .{1,60}"),
        *("verzonden (?:vanaf|met|via) .{1,80}",),
        *("verstuurd vanaf .{1,80}", "(?:outlook voor|download outlook) .{1,60}"),
        *("skicka(?:t|des) från .{1,80}",),
        *("hämta outlook .{1,60}", "sendt fra .{1,80}", "hent outlook .{1,60}", "lähetetty .{1,60}"),
        *("hanki outlook .{1,60}", "wysłan[eo] z .{1,80}", "pobierz (?:aplikację )?outlook .{1,60}"),
        *("odesláno z .{1,80}", "отправлено (?:с|из) .{1,80}", "надіслано з .{1,80}", "iphone.?から送信"),
        *("发自我的.{1,40}", "나의 iphone에서 보냄", "iphone.?umdan gönderildi"),
    )
    + r"\s*",
    re.IGNORECASE,
)
LIST_FOOTER = re.compile(
    _any("mailing list", "mailingliste", "unsubscribe", "/listinfo/", "liste de diffusion"), re.IGNORECASE
)
# What stands before a subject that is answered or forwarded, and what gateways put there.
SUBJECT_PREFIX = re.compile(
    r"\s*(?:"
    + _any(
        *("re", "fwd?", "aw", "wg", "tr", "rv", "sv", "vs", "vb", "vl", "antw", "betr", "odp", "pd", "r"),
        *("i",),
        *("enc", "res", "fs", "ynt", "ilt", "atb", "bls", "rif", "ref", "回复", "答复", "转发", "回覆"),
        *("轉寄",),
        *("返信", "転送", "отв", "на"),
    )
    + r"(?:\[\d+\]|\(\d+\)|\^\d+)?\s*[:：]|\[(?:external|extern|ext)\]:?)\s*",
    re.IGNORECASE,
)
# Subjects of what a program answers while somebody is away.
AWAY = re.compile(
    r"\s*"
    + _any(
        *("automatic reply", "auto(?:matic)?[- ]?reply", "out of office", "automatische antwort"),
        *("abwesenheit(?:snotiz)?:", "réponse automatique", "respuesta automática", "risposta automatica"),
        *("resposta automática", "automatisch antwoord", "automatiskt svar", "autosvar", "read:", "gelesen:"),
        *("lu:", "undeliverable:", "unzustellbar:"),
    ),
    re.IGNORECASE,
)
# Gmail's labels of what was not sent or is not kept: it writes them in the account's language.
DRAFT_LABELS = {
    *("draft", "drafts", "entwürfe", "entwurf", "brouillons", "borradores", "bozze", "rascunhos"),
    *("concepten",),
}
TRASH_LABELS = {"trash", "bin", "papierkorb", "corbeille", "papelera", "cestino", "lixeira", "prullenbak"}
SPAM_LABELS = {"spam", "indesiderata"}
