"""The words of the quickstart's language, as tables: one row is one lemma in English and in German.

Every English lemma has one German lemma, so that a sentence has one right translation. Names are
most of the vocabulary, each beginning with each ending, for a model copies them without learning each by
heart. It does learn each compound by heart, so that their number, every modifier with every head, is small.
"""

from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Noun:
    """A noun; ``english`` and ``german`` are its (singular, plural)."""

    english: tuple[str, str]
    german: tuple[str, str]
    gender: str  # m, f or n
    genitive: str  # of the German singular


@dataclass(frozen=True)
class Verb:
    """A verb; its forms are the third persons (present singular, plural, past singular, plural).

    ``particle`` follows the English verb ("away", "for"), ``prefix`` is the German separable prefix.
    The German objects stand in ``cases``, behind ``preposition``.
    """

    english: tuple[str, str, str, str]
    german: tuple[str, str, str, str]
    particle: str = ""
    prefix: str = ""
    cases: tuple[str, ...] = ()
    preposition: str = ""


def _rows(table):
    return [["" if cell == "-" else cell for cell in line.split()] for line in table.strip().splitlines()]


def _nouns(table):
    return [Noun((one, many), (ein, viele), gender, genitive)
            for one, many, ein, gender, genitive, viele in _rows(table)]


def _verbs(cases, table):
    return [Verb((goes, go, went, went), (geht, gehen, ging, ging + ("n" if ging.endswith("e") else "en")),
                 particle, prefix, cases, *preposition)
            for go, goes, went, particle, gehen, geht, ging, prefix, *preposition in _rows(table)]


# English singular, plural; German singular, gender, genitive, plural
PERSONS = _nouns("""
man        men         Mann      m  Mannes     Männer
teacher    teachers    Lehrer    m  Lehrers    Lehrer
brother    brothers    Bruder    m  Bruders    Brüder
friend     friends     Freund    m  Freundes   Freunde
guest      guests      Gast      m  Gastes     Gäste
doctor     doctors     Arzt      m  Arztes     Ärzte
woman      women       Frau      f  Frau       Frauen
sister     sisters     Schwester f  Schwester  Schwestern
daughter   daughters   Tochter   f  Tochter    Töchter
aunt       aunts       Tante     f  Tante      Tanten
queen      queens      Königin   f  Königin    Königinnen
child      children    Kind      n  Kindes     Kinder
girl       girls       Mädchen   n  Mädchens   Mädchen
horse      horses      Pferd     n  Pferdes    Pferde
""")

SIMPLE_THINGS = _nouns("""
table      tables      Tisch     m  Tisches    Tische
letter     letters     Brief     m  Briefes    Briefe
key        keys        Schlüssel m  Schlüssels Schlüssel
apple      apples      Apfel     m  Apfels     Äpfel
fruit      fruits      Frucht    f  Frucht     Früchte
wall       walls       Wand      f  Wand       Wände
book       books       Buch      n  Buches     Bücher
picture    pictures    Bild      n  Bildes     Bilder
knife      knives      Messer    n  Messers    Messer
shelf      shelves     Regal     n  Regals     Regale
""")

# Their plurals end in -n or -s and so have no dative of their own: a compound has two forms at most.
HEADS = _nouns("""
lamp       lamps       Lampe     f  Lampe      Lampen
door       doors       Tür       f  Tür        Türen
bag        bags        Tasche    f  Tasche     Taschen
box        boxes       Kiste     f  Kiste      Kisten
car        cars        Wagen     m  Wagens     Wagen
shop       shops       Laden     m  Ladens     Läden
fountain   fountains   Brunnen   m  Brunnens   Brunnen
park       parks       Park      m  Parks      Parks
balcony    balconies   Balkon    m  Balkons    Balkons
bed        beds        Bett      n  Bettes     Betten
shirt      shirts      Hemd      n  Hemdes     Hemden
radio      radios      Radio     n  Radios     Radios
""")

# With the German linking element (-s-, -n-) where the compound takes one
MODIFIERS = dict(_rows("""
garden Garten
kitchen Küchen
city Stadt
station Bahnhofs
university Universitäts
newspaper Zeitungs
silver Silber
birthday Geburtstags
wedding Hochzeits
sun Sonnen
"""))


def compound(modifier, head):
    """Two words in English, one in German: garden + lamp, Gartenlampe."""
    stem = MODIFIERS[modifier]
    return Noun(tuple(f"{modifier} {form}" for form in head.english),
                tuple(stem + form.lower() for form in head.german),
                head.gender, stem + head.genitive.lower())


COMPOUNDS = [compound(modifier, head) for modifier in MODIFIERS for head in HEADS]

ADJECTIVES = dict(_rows("""
old alt
new neu
small klein
big groß
beautiful schön
ugly hässlich
loud laut
heavy schwer
clean sauber
dirty schmutzig
famous berühmt
strange seltsam
"""))

# English base, third person, past, particle; German infinitive, third person, past, separable prefix
VERBS = {
    "intransitive": _verbs((), """
sleep     sleeps    slept     -      schlafen    schläft    schlief     -
laugh     laughs    laughed   -      lachen      lacht      lachte      -
work      works     worked    -      arbeiten    arbeitet   arbeitete   -
sing      sings     sang      -      singen      singt      sang        -
cook      cooks     cooked    -      kochen      kocht      kochte      -
cry       cries     cried     -      weinen      weint      weinte      -
arrive    arrives   arrived   -      kommen      kommt      kam         an
get       gets      got       up     stehen      steht      stand       auf
fall      falls     fell      asleep schlafen    schläft    schlief     ein
"""),
    "saying": _verbs((), """
say       says      said      -      sagen       sagt       sagte       -
believe   believes  believed  -      glauben     glaubt     glaubte     -
know      knows     knew      -      wissen      weiß       wusste      -
hope      hopes     hoped     -      hoffen      hofft      hoffte      -
hear      hears     heard     -      hören       hört       hörte       -
"""),
    "transitive": _verbs(("acc",), """
buy       buys      bought    -      kaufen      kauft      kaufte      -
sell      sells     sold      -      verkaufen   verkauft   verkaufte   -
find      finds     found     -      finden      findet     fand        -
see       sees      saw       -      sehen       sieht      sah         -
forget    forgets   forgot    -      vergessen   vergisst   vergaß      -
choose    chooses   chose     -      suchen      sucht      suchte      aus
throw     throws    threw     away   werfen      wirft      warf        weg
take      takes     took      along  nehmen      nimmt      nahm        mit
look      looks     looked    at     sehen       sieht      sah         an
"""),
    "dative": _verbs(("dat",), """
help      helps     helped    -      helfen      hilft      half        -
thank     thanks    thanked   -      danken      dankt      dankte      -
follow    follows   followed  -      folgen      folgt      folgte      -
answer    answers   answered  -      antworten   antwortet  antwortete  -
listen    listens   listened  to     hören       hört       hörte       zu
agree     agrees    agreed    with   stimmen     stimmt     stimmte     zu
"""),
    "ditransitive": _verbs(("dat", "acc"), """
give      gives     gave      -      geben       gibt       gab         -
show      shows     showed    -      zeigen      zeigt      zeigte      -
send      sends     sent      -      schicken    schickt    schickte    -
lend      lends     lent      -      leihen      leiht      lieh        -
offer     offers    offered   -      bieten      bietet     bot         an
"""),
    # ... and the German preposition
    "prepositional": _verbs(("acc",), """
wait      waits     waited    for    warten      wartet     wartete     -    auf
talk      talks     talked    about  sprechen    spricht    sprach      -    über
look      looks     looked    after  passen      passt      passte      auf  auf
""") + _verbs(("dat",), """
ask       asks      asked     about  fragen      fragt      fragte      -    nach
play      plays     played    with   spielen     spielt     spielte     -    mit
start     starts    started   with   fangen      fängt      fing        an   mit
"""),
    "copula": [Verb(("is", "are", "was", "were"), ("ist", "sind", "war", "waren"))],
}


def _names(beginnings, endings):
    return ["".join(parts) for parts in product(beginnings.split(), endings.split())]


GIVEN_NAMES = _names(
    "Al An Be Bo Ce Da Ed El Fa Ga Gi Ha Hil In Jo Ju Ka Li Lo Ma Mo Ne Or Pa Ra Sa Ti Ul Ve Wi",
    "bara bert dela dino fira fred gela grid grit gund karo land leno lieb lina lind linde lona mara mina mira "
    "mund neta nora pola rasa rich rika rina run sina tela tina trud vani vera wald wig wina zora")
FAMILY_NAMES = _names(
    "Ader Birn Bracht Corn Dorn Ecker Finster Grun Hart Holt Imm Jass Kett Lang Lind Mohr Nebel Ost Platt Querr "
    "Rosen Schier Seif Stein Tann Ulm Urban Vogt Wein Wern Zarn Zier",
    "ach baum beck berg bier brink brock busch dahl eder feld fuhr gard hauer horst inger kamp kopf lau lich "
    "lohn mann meier nitz ow rath ruf sack sen sohn stett thal vater weber wig zky")
PLACES = _names(
    "Ahl Bram Brei Dohl Elm Falk Gold Gren Hasel Isen Jung Krey Lauter Lich Mers Nord Ober Pfaf Rott Sand Schel "
    "Stau Tuf Unter Wal Wies Win Zel",
    "aue bach beuren born brunn brück burg dorf feld furt garten hagen hausen heim hof hofen hude ingen kirch "
    "koog leben lingen moor mund ried roda see siel stadt stedt tal wald weiler winkel")
