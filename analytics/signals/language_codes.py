"""The languages that the model can detect: the 176 codes of fastText's lid.176, each with its English name."""

from __future__ import annotations

from collections.abc import Mapping

from tamis.data.nearest import nearest_names

_TABLE = """
af Afrikaans, als Alemannic, am Amharic, an Aragonese, ar Arabic, arz Egyptian Arabic, as Assamese, ast Asturian,
av Avar, az Azerbaijani, azb South Azerbaijani, ba Bashkir, bar Bavarian, bcl Central Bikol, be Belarusian,
bg Bulgarian, bh Bihari, bn Bengali, bo Tibetan, bpy Bishnupriya, br Breton, bs Bosnian, bxr Buryat, ca Catalan,
cbk Chavacano, ce Chechen, ceb Cebuano, ckb Central Kurdish, co Corsican, cs Czech, cv Chuvash, cy Welsh, da Danish,
de German, diq Zazaki, dsb Lower Sorbian, dty Doteli, dv Dhivehi, el Greek, eml Emilian, en English, eo Esperanto,
es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fr French, frr North Frisian, fy West Frisian, ga Irish,
gd Scottish Gaelic, gl Galician, gn Guarani, gom Goan Konkani, gu Gujarati, gv Manx, he Hebrew, hi Hindi,
hif Fiji Hindi, hr Croatian, hsb Upper Sorbian, ht Haitian, hu Hungarian, hy Armenian, ia Interlingua, id Indonesian,
ie Interlingue, ilo Iloko, io Ido, is Icelandic, it Italian, ja Japanese, jbo Lojban, jv Javanese, ka Georgian,
kk Kazakh, km Khmer, kn Kannada, ko Korean, krc Karachay-Balkar, ku Kurdish, kv Komi, kw Cornish, ky Kyrgyz, la Latin,
lb Luxembourgish, lez Lezgian, li Limburgish, lmo Lombard, lo Lao, lrc Northern Luri, lt Lithuanian, lv Latvian,
mai Maithili, mg Malagasy, mhr Meadow Mari, min Minangkabau, mk Macedonian, ml Malayalam, mn Mongolian, mr Marathi,
mrj Hill Mari, ms Malay, mt Maltese, mwl Mirandese, my Burmese, myv Erzya, mzn Mazanderani, nah Nahuatl,
nap Neapolitan, nds Low German, ne Nepali, new Newar, nl Dutch, nn Norwegian Nynorsk, no Norwegian, oc Occitan,
or Odia, os Ossetian, pa Punjabi, pam Pampanga, pfl Palatine German, pl Polish, pms Piedmontese, pnb Western Punjabi,
ps Pashto, pt Portuguese, qu Quechua, rm Romansh, ro Romanian, ru Russian, rue Rusyn, sa Sanskrit, sah Yakut,
sc Sardinian, scn Sicilian, sco Scots, sd Sindhi, sh Serbo-Croatian, si Sinhala, sk Slovak, sl Slovenian, so Somali,
sq Albanian, sr Serbian, su Sundanese, sv Swedish, sw Swahili, ta Tamil, te Telugu, tg Tajik, th Thai, tk Turkmen,
tl Tagalog, tr Turkish, tt Tatar, tyv Tuvan, ug Uyghur, uk Ukrainian, ur Urdu, uz Uzbek, vec Venetian, vep Veps,
vi Vietnamese, vls West Flemish, vo Volapük, wa Walloon, war Waray, wuu Wu Chinese, xal Kalmyk, xmf Mingrelian,
yi Yiddish, yo Yoruba, yue Cantonese, zh Chinese
"""
LANGUAGES: Mapping[str, str] = {
    code: name for code, _, name in (entry.strip().partition(" ") for entry in _TABLE.split(","))
}
"""Code -> English name."""


def language_code(text: str) -> str:
    """Return the code that detection uses for a language tag: ``EN``, ``en-US`` and ``en_GB`` are ``en``.

    Raises:
        ValueError: there is no such code; the message names the nearest ones.
    """
    folded = text.strip().replace("_", "-").casefold()
    code = folded if folded in LANGUAGES else folded.split("-", 1)[0]
    if code in LANGUAGES:
        return code
    by_name = {name.casefold(): code for code, name in LANGUAGES.items()}
    near = [by_name.get(name, name) for name in nearest_names(folded, [*by_name, *LANGUAGES])]
    shown = " or ".join(f"{code} ({LANGUAGES[code]})" for code in dict.fromkeys(near))
    raise ValueError(f"{text!r} is no language code of the detection" + (f"; did you mean {shown}?" if shown else ""))
