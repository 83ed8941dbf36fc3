"""Function words: what every text in a language is made of, and what says nothing about a person."""

from __future__ import annotations

# Words of three letters and more, folded; shorter ones say nothing anyway, see content(). They are chosen by
# hand: the lists that are packaged are made for search and hold up to 1,900 words a language, "home" and
# "email" among them, and a word that is here by mistake would be said. A missing one costs little, since the
# remote needs no help for it. Left out is what says something in another language: war, die, son, men.
ENGLISH = """
about above after again all almost already also although always and another any anyone anything are around
back because been before being below best between both but came can cannot come could dear did does doing
done down during each either else enough even ever every everyone everything few first for from further get
gets give going good got had has have having hello her here hers herself him himself his how however into
its itself just keep know last least less let like made make makes making many may maybe might mine more
most much must myself need neither never next nor not nothing now off often once one only onto other others
our ours out over own perhaps please put quite rather really said same say see shall she should since some
someone something soon still such sure take than thank thanks that the their theirs them themselves then
there therefore these they thing things this those though through thus too toward towards two under until
upon use used using very via want was way well went were what when where whether which while who whom whose
why will with within without would yes yet you your yours yourself isn aren wasn weren don doesn didn hasn
haven hadn won wouldn couldn shouldn
"""
GERMAN = """
aber alle allem allen aller alles als andere anderen auch auf aus bei beim bin bis bist bitte dabei dafur
damit dann daran darauf darin darum das dass davon dazu dein deine dem den denn der deren des dessen dich
diese diesem diesen dieser dieses dir doch dort durch ein eine einem einen einer eines einige etwas euch
euer fur ganz gegen gibt haben habe hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren
ihrer immer ins ist jede jeden jeder jedes jetzt kann kein keine keinen konnen konnte machen mehr mein meine
meinem meinen meiner mich mir mit muss mussen nach nicht nichts noch nun nur oder ohne schon sehr sein seine
seinem seinen seiner seit selbst sich sie sind sollte sondern uber uns unser unsere unter viel viele vom von
vor wann warum weil wenn werde werden wie wieder wir wird wirst wollen wurde wurden zum zur zwischen
"""
FRENCH = """
alors apres aucun aussi autre autres aux avant avec avoir beaucoup bien car ceci cela celle celui ces cet
cette ceux chaque chez comme comment dans depuis deux donc dont elle elles encore entre est etaient etait
ete etre eux fait faire font ici ils jamais les leur leurs lors lui mais meme mes moi moins mon nos notre
nous ont par parce pas peu peut plus pour pourquoi puis quand que quel quelle quelque qui quoi sans sera ses
seulement soit sommes sont sous suis sur tes toi ton toujours tous tout toute toutes tres trop une vers
voici voila vos votre vous
"""
IBERIAN = """
ahora algo algunos ante antes aqui aquel asi aunque bajo cada casi como con contra cual cuando del desde
despues donde dos ella ellas ellos era eran eres esa ese eso esta estaba estan estar estas este esto estos
estoy fue fueron gracias hace hacer hacia hasta hay las los mas mientras mis mismo mucho muy nada nosotros
nunca otra otras otro otros para pero poco por porque pues puede quien sea segun ser siempre sin sino sobre
sois somos sus tambien tan tanto tengo tiene todo todos tus una unas uno unos usted ustedes vosotros agora
ainda aos apenas aquela aquele assim ate com depois dela dele deles ela elas ele eles essa esse estao estava
foi foram isso isto lhe mesmo meu minha muito nao nas nem nessa nesta nossa nosso numa onde outra outro pela
pelo pelos qual quando quem sao seja sem sempre seu seus sua suas tambem tem tenho ter teu toda todas tudo
uma umas voce
"""
ITALIAN = """
agli alla allo allora anche ancora aveva avere bene che chi ciao cosa cosi cui dal dalla dalle degli dei
della delle dello dopo dove due erano essere fare fra gia gli hai hanno ecco loro mai mentre mia mie miei
mio molto negli nei nel nella nelle nessuno noi non nostro ogni oppure per perche piu poi prima puo qualche
quale quanto quasi quella quelli quello questa queste questi questo sei senza siamo sono sopra sotto stata
stato sue sugli sui sul sulla suo suoi tra troppo tuo tutta tutte tutti tutto verso voi
"""
DUTCH = """
aan alleen altijd bij daar dan dat deze dit doen door dus een eens geen geweest haar heb hebben heeft hem
het hij hoe hun iets jij jou jouw jullie kan kon kunnen maar maken meer met mij mijn moet moeten naar niet
niets nog ons onze ook omdat onder reeds samen toch toen tot tussen uit van veel voor vooral waar wanneer
waren wat weer wel welke werd wij wil worden wordt zal zelf zich zijn zij zonder zou
"""
SCANDINAVIAN = """
allerede alltid altid andre att bara bare begge bli blir blev ble blive bliver bort denna denne dere deres
deras dessa desse det dette detta dig din disse ditt dock dog eftersom efter eller ellers enda ett etter fik
fikk fran fordi forst gjor gjore gjorde han hade havde hans har hela hende henne hennes hos hur hva hvad
hvem hver hvis hvor hvordan icke igen ikke ikkje inga ingen ingenting inn inte jag jeg kom kun kunne kunde
lite litt med meg mej mellan mellem mellom mer mere mig min mina mitt mot mycket mye nar nej noen noget
nogle nok nogon nagon nagot noe ned ner oss ogsa pga samma samme sedan seg sej selv sig sina sine sitt skal
skall skulle siden som sadan slik sjalv til till und upp uten utan vad var vara varit vart vare ved vel vid
vil vill ville vem vore vort vaere vaert
"""
WEST_SLAVIC = """
albo ale bardzo bedzie bez bym byc byl byla bylo byly ciebie dla dlaczego gdy gdzie ile inny jak jako jakie
jednak jego jej jest jestem jeszcze jesli kiedy kto ktora ktore ktory lub maja mam mnie moge moja moje moj
moze mozna nad nam nasz nawet nic nich nie nigdy niego niz ona oni oraz pod poniewaz przed przez przy sobie
swoj tak takze tam tego tej ten tez tobie tych tylko tym twoj wiec wszystko zawsze zeby aby ani ano bude
budou bych byli jen jeho jeji jejich jeste jiz jsem jsme jsou jste kde kdo kdy kdyz ktera ktere ktery mezi
muj muze nebo neni nez pak podle pokud potom pouze prave proc pro proto protoze pred pri sam sve svuj tato
teto tedy tento toho tomu toto tuto tyto vas vase vice vsak vse vsechny zde alebo ako cez ked preto sme ste
tiez vsetko
"""
EAST_SLAVIC = """
без более больше был была были было быть вам вами вас ваш ваша ваше ваши весь вот все всего всегда всех где
говорит даже для его ему если есть еще здесь или именно ими иногда как какая какие какой когда которая
которое которые который кто куда либо лишь между меня мне много может можно мой моя мои моего надо нам нами
нас наш наша наше него нее ней нет нибудь никогда ним них ничего однако она они оно очень перед под после
потом потому почему почти при про раз разве сам свой своего своей себе себя сейчас сколько спасибо так такая
такие такой там тебе тебя тем теперь того тогда тоже только том тот тут уже хорошо хотя чего чем через что
чтобы эта эти это этого этой этом этот або але були було бути вже від він вона вони дуже його йому коли
которий лише мене мені між може собі також тільки тому цей цього щоб який яка які
"""
TURKISH = """
ama ancak bana bazi belki ben beni benim bir biraz bizim bile bunu bunun buna cok cunku daha degil diye gibi
hep icin ise kadar kim nasil neden nerede olan olarak oldu onlar onu onun sana sen senin siz sonra veya yani
yok
"""
FUNCTION_WORDS = frozenset(
    " ".join(
        (ENGLISH, GERMAN, FRENCH, IBERIAN, ITALIAN, DUTCH, SCANDINAVIAN, WEST_SLAVIC, EAST_SLAVIC, TURKISH)
    ).split()
)

# In scripts without spaces: characters that grammar is written in. Hiragana are all of them such.
FUNCTION_CHARACTERS = frozenset(
    "的了是我你您他她它们們在不这這那有和也就都而及与與或但被把让讓从從对對为為于於以之其此个個吗嗎呢吧啊么麼什很再又还還着著过過到去来來"
    "上下中里裡要会會能可说說没沒人"
    "은는이가을를에의로와과도만서다요고하한니며지"
)
