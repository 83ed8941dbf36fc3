"""Of a mail's text that is kept which its writer wrote."""

from __future__ import annotations

import pytest

from app.sources.mail.quoted import own_words, unflowed

OWN = "Yes, at ten.\n\nAnna"
QUOTE = "> Shall we sail?\n> Bo"


@pytest.mark.parametrize(
    "line",
    [
        "On Mon, Mar 4, 2024 at 9:00 AM Bo Lund <bo@example.com> wrote:",
        "On Mon, Mar 4, 2024 at 9:00 AM Bo Lund with a long name <bo@example.com>\nwrote:",
        "On 4. Mar 2024, at 09:00,\nBo Lund <bo@example.com>\nwrote:",
        "Am 04.03.2024 um 09:00 schrieb Bo Lund <bo@example.com>:",
        "Am Mo., 4. März 2024 um 09:00 Uhr schrieb Bo Lund <\nbo@example.com>:",
        "Le lun. 4 mars 2024 à 09:00, Bo Lund <bo@example.com> a écrit :",
        "El lun, 4 mar 2024 a las 9:00, Bo (<bo@example.com>) escribió:",
        "Il giorno lun 4 mar 2024 alle ore 09:00 Bo <bo@example.com> ha scritto:",
        "Em seg., 4 de mar. de 2024 às 09:00, Bo <bo@example.com> escreveu:",
        "Op ma 4 mrt 2024 om 09:00 schreef Bo <bo@example.com>:",
        "Den mån 4 mars 2024 kl 09:00 skrev Bo <bo@example.com>:",
        "ma 4. maalisk. 2024 klo 9.00 Bo (bo@example.com) kirjoitti:",
        "pon., 4 mar 2024 o 09:00 Bo <bo@example.com> napisał(a):",
        "po 4. 3. 2024 v 9:00 odesílatel Bo <bo@example.com> napsal:",
        "пн, 4 мар. 2024 г. в 09:00, Bo <bo@example.com>:",
        "4 марта 2024, 09:00 от Bo <bo@example.com> написал:",
        "tir. 5. mar. 2024 kl. 09:00 skrev Bo Lund <bo@example.com\n>:",
        "Bo Lund wrote:",
        "---- On Mon, 04 Mar 2024 09:00:00 +0100 bo@example.com wrote ----",
        '05.03.2024, 9.30, "Bo Lund" <bo@example.com>:',
        "2024年3月4日(月) 9:00 Bo <bo@example.com>:",
        "Bo <bo@example.com> 于2024年3月4日周一 09:00写道:",
        "4 Mar 2024 Pzt 09:00 tarihinde Bo <bo@example.com> şunu yazdı:",
    ],
)
def test_a_quotation_goes_with_the_line_above_it(line: str) -> None:
    assert own_words(f"{OWN}\n\n{line}\n\n{QUOTE}\n") == OWN
    assert own_words(f"{line}\n{QUOTE}\n\n{OWN}\n") == OWN
    assert own_words(f"{OWN}\n{line}\n{QUOTE}\n") == OWN


@pytest.mark.parametrize(
    "divider",
    [
        "-----Original Message-----",
        "-----Ursprüngliche Nachricht-----",
        "-------- Original-Nachricht --------",
        "-------- Message d'origine --------",
        "-----Mensaje original-----",
        "---------- Forwarded message ---------",
        "-------- Weitergeleitete Nachricht --------",
        "Begin forwarded message:",
        "Anfang der weitergeleiteten Nachricht:",
        "-----Исходное сообщение-----",
        "______________\nFrom: Bo\nSent: Monday\nSubject: Sail",
        "Von: Bo Lund\nGesendet: Montag, 4. März 2024 09:00\nAn: Anna\nCc: Cy\nBetreff: Segeln",
        "*De :* Bo\n*Envoyé :* lundi 4 mars 2024\n*À :* Anna\n*Objet :* Voile",
        "Date: Mon, 4 Mar 2024 09:00:00 +0100\nSubject: Sail\nFrom: bo@example.com\nTo: Anna",
        "Message du : 04/03/2024 09:00\nDe : Bo\nA : Anna\nSujet : voile",
        "От: Bo\nОтправлено: четверг, 4 марта 2024\nКому: Anna",
        'On Mon, 4 Mar 2024 at 9:00, "Bo" <bo@example.com>:',
        "Sent from my telephone",
        "Gesendet von Outlook für Android<https://aka.ms/AAb9ysg>",
        "差出人: Bo\n送信日時: 2024年3月4日\n宛先: Anna\n件名: 帆",
        "On Mon, Mar 4, 2024 at 9:00 AM Bo Lund <bo@example.com> wrote:",
    ],
)
def test_what_stands_below_a_divider_is_somebody_else_s(divider: str) -> None:
    assert own_words(f"{OWN}\n\n{divider}\n\nShall we sail?\nBo\n") == OWN


def test_answers_between_quotations_are_kept() -> None:
    text = (
        "On Mon, Mar 4, 2024 at 9:00 AM Bo <bo@x.org> wrote:\n> When?\n\nAt ten.\n\n> Where?\n>> There?\n"
        "\nAt the pier.\n"
    )
    assert own_words(text) == "At ten.\n\n\nAt the pier."


@pytest.mark.parametrize(
    "below",
    [
        "-- \nAnna Ek\nNurse, ward 4",
        "--\nAnna Ek",
        "Sent from my iPhone",
        "Von meinem iPhone gesendet",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Inviato da iPhone",
        "Get Outlook for iOS<https://aka.ms/o0ukef>",
        "Skickat från min iPhone\n\n",
        "Sent from TypeApp<http://www.typeapp.com/r?b=2621>",
        "_______\nboats mailing list\nboats@example.com",
    ],
)
def test_signatures_are_no_words_of_anybody(below: str) -> None:
    assert own_words(f"{OWN}\n\n{below}\n") == OWN


@pytest.mark.parametrize(
    "text",
    [
        "On Monday Bo wrote:\nwe shall sail.",
        "He asked me at 10:00:\nwhen?",
        "From: the harbour\nwe saw the boat.",
        "Sent from the ward, where it is quiet, with\nlove",
        "Original message: none.",
        "a - b\n--- c",
        "From: Bo\nto me\nand on",
        "Write to bo@example.com in 2024:\nnot before.",
        "I wrote to bo@example.com and he wrote back.",
    ],
)
def test_words_that_look_like_a_program_s_stay(text: str) -> None:
    assert own_words(text) == text


def test_a_mail_of_others_words_alone_is_empty() -> None:
    assert own_words(f"{QUOTE}\n") == ""
    assert own_words("---------- Forwarded message ---------\nFrom: Bo\n\nHi") == ""
    assert own_words("-- \nAnna\n") == ""
    assert own_words("") == ""


def test_a_signature_of_pgp_is_taken_off() -> None:
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nYes.\n- -- \n- - mast\n\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n"
    )
    assert own_words(text.replace("- -- \n", "")) == "Yes.\n- mast"


def test_flowed_lines_are_put_together() -> None:
    text = "Dear Bo, this \ngoes on.\n \nNew one.\n> quoted \n> on\n>> deeper\n From here\n-- \nAnna"
    assert unflowed(text, delete_space=False) == (
        "Dear Bo, this goes on.\n\nNew one.\n> quoted on\n>> deeper\nFrom here\n-- \nAnna"
    )
    assert unflowed("日本 \n語", delete_space=True) == "日本語"


@pytest.mark.parametrize(
    "line",
    [
        "a@b 10:00:\n>\n",
        ">\n",
        "From: x\n",
        "-" * 1000 + "\n",
        " \n",
        "a@b 10:00 wrote:",
        "_" * 40 + "\n",
        "- ",
    ],
)
def test_a_mail_of_one_line_is_read_in_linear_time(line: str) -> None:
    own_words(line * (500_000 // len(line)))
