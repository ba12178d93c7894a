"""Words that hint at a kind of request, by category, in English; `lexicon_world` has the other languages.

A category counts its distinct words and saturates, so that one word more or less changes little. Entries
that end in `*` match every word that begins with them.
"""

from collections.abc import Mapping

from llm_inference_router.signals.lexicon_world import CJK, WORLD
from llm_inference_router.signals.words import words

CATEGORIES = (
    "greet", "lookup", "service", "classify", "summarise", "translate", "edit", "write", "explain",
    "compare", "prove",
    "story", "maths", "advmath", "code", "advcode", "design", "law", "medicine", "science", "advscience",
    "finance",
    "humanities", "constraint", "logic", "steps",
)  # fmt: skip
INDEX: Mapping[str, int] = {name: i for i, name in enumerate(CATEGORIES)}

ENGLISH = {
    "greet": (
        "hi hello hey thanks thank thx bye goodbye morning evening night cheers yo welcome ok okay great "
        "awesome cool nice lol haha congratulations birthday weekend joke bored"
    ),
    "lookup": (
        "who who's when where capital named called define definition meaning synonym antonym spell "
        "spelling tall old born died founded invented wrote sings sang starred plays located population "
        "currency phone address abbreviation acronym happened winner won president year country city movie "
        "song film color colour"
    ),
    "service": (
        "order orders refund return returns account password login subscription cancel cancelled invoice "
        "delivery delivered shipping shipped ship package parcel booking reservation appointment customer "
        "receipt warranty exchange store opening hours reset damaged replacement ticket complaint support "
        "charged billing coupon voucher tracking track"
    ),
    "classify": (
        "classify classification sentiment label labels category categorize categorise positive negative "
        "neutral toxic spam moderate moderation offensive hateful harassment abusive detect flag tag tags "
        "extract identify intent entities entity mentioned mentions comment review reviews rating appropriate "
        "inappropriate policy violates safe unsafe"
    ),
    "summarise": (
        "summarize summarise summary summaries tldr tl;dr shorten condense recap gist key highlights takeaways bullet"
    ),
    "translate": (
        "translate translation french spanish german italian portuguese japanese chinese korean arabic "
        "russian turkish polish dutch hindi english hebrew"
    ),
    "edit": (
        "rephrase rewrite proofread grammar spelling polish reword paraphrase typo typos formal informal "
        "tone friendlier politely fix correct correction improve"
    ),
    "write": (
        "write poem story stories essay email letter blog post speech song lyrics haiku limerick tweet "
        "caption slogan headline tagline dialogue script novel article ad advertisement product "
        "description character characters fictional scene chapter toast invitation cover verse verses "
        "rhyme plot compose draft creative lyric rap parody fanfic narrative narrator protagonist roleplay "
        "tongue twister sonnet pentameter monologue imagine pretend fantasy hero villain riff"
    ),
    "explain": (
        "why explain explains describe how elaborate clarify discuss understand understanding reasons "
        "causes effects mechanism principle intuition happens example examples"
    ),
    "compare": (
        "compare comparison contrast difference differences versus vs evaluate assess analyze analyse "
        "analysis pros cons trade-offs tradeoffs tradeoff trade offs advantages disadvantages critique "
        "argue arguments implications impact optimize optimise optimal recommend strategy strategies "
        "consider considering justify weigh interplay critically"
    ),
    "prove": (
        "prove proof proofs proven derive derivation deduce lemma theorem corollary conjecture rigorous "
        "rigorously disprove counterexample induction contradiction axiom axioms formally iff necessary "
        "sufficient converges convergence bounded uniqueness existence infinitely"
    ),
    "story": (
        "each total altogether left many much cost costs twice half times more fewer less per remaining "
        "remain bought sold sells earns earn pays spent saves percent percentage dollars miles minutes "
        "pounds dozen share shared split average rate speed weighs gallons"
    ),
    "maths": (
        "equation equations solve calculate compute triangle circle square rectangle area volume angle "
        "angles radius probability integer integers digit digits prime factor factors sum product "
        "divisible fraction fractions ratio number algebra geometry graph function functions value values "
        "positive real root roots perimeter coordinates parallel perpendicular sequence arithmetic "
        "geometric divided remainder"
    ),
    "advmath": (
        "integral integrals derivative derivatives differential matrix matrices eigenvalue eigenvalues "
        "eigenvector polynomial polynomials logarithm logarithmic trigonometric sine cosine modulo "
        "congruent congruence complex manifold topology topological homomorphism isomorphic isomorphism "
        "abelian subgroup permutation permutations combinatorial combinatorics binomial stochastic "
        "variance covariance bayesian gaussian limit limits asymptotic vector vectors tensor hyperbola "
        "ellipse parabola inscribed circumscribed tetrahedron bijection cardinality lebesgue measurable "
        "continuous differentiable holomorphic fourier laplace laplacian recurrence hessian jacobian "
        "gradient riemann hilbert banach fubini cyclic ring rings field fields finite galois quotient "
        "kernel"
    ),
    "code": (
        "python javascript java typescript html css sql bash shell script code program function method "
        "class array string strings dictionary tuple tuples loop variable regex api json yaml "
        "xml csv file database query react node php rust golang kotlin swift c++ c# excel formula pandas "
        "numpy django flask git docker command implement bug debug error compile exception returns "
        "sort sorted codes programming library package app website button "
        "flexbox div linux server console makefile cmake cpp scripts rename dataframe keyerror typeerror "
        "traceback tensorflow postgres postgresql mongodb redis nginx webpack npm dart perl ruby scala "
        "haskell ocaml powershell terminal plugin frontend backend endpoint component iterator pointer "
        "struct enum int bool"
    ),
    "advcode": (
        "concurrent concurrency thread threads mutex deadlock race asynchronous async distributed scalable "
        "scalability throughput latency kubernetes microservice microservices consensus replication "
        "sharding shard cuda gpu simd compiler parser kernel lock-free lockfree garbage algorithm "
        "algorithms complexity amortized recursion dynamic backtracking refactor refactoring architecture "
        "cache caching idempotent transaction transactions isolation encryption cryptography vulnerability "
        "exploit assembly verilog pytorch tensorflow transformer transformers backpropagation gradient "
        "monad generics trait lifetimes inheritance polymorphism middleware websocket oauth authentication "
        "partition partitions raft paxos quorum linearizable crdt hazard memory leak leaks heap profiler "
        "optimization rate-limiter limiter failover"
    ),
    "design": (
        "design architecture architect system systems infrastructure roadmap migration migrate plan "
        "planning framework proposal strategy specification requirements protocol scale fault-tolerant "
        "tolerant availability multi-region region regions tenants multi-tenant pipeline zero-downtime "
        "production enterprise rollout capacity"
    ),
    "law": (
        "law legal statute statutory liability liable contract contractual plaintiff defendant court tort "
        "negligence jurisdiction constitutional amendment clause damages breach appeal appellate felony "
        "misdemeanor litigation fiduciary indemnity indemnification gdpr copyright patent trademark "
        "injunction hearsay testimony warrant landlord easement homicide prosecution prosecutor testify "
        "enforceable enforceability arbitration treaty estoppel statutes common covenant conveyed deed "
        "admissible evidence jury"
    ),
    "medicine": (
        "patient patients diagnosis diagnose differential treatment therapy symptom symptoms clinical "
        "disease syndrome chronic acute dose dosage mg pharmacokinetics contraindicated contraindications "
        "antibiotic hypertension diabetes renal hepatic cardiac pulmonary tumor carcinoma lesion serum "
        "biopsy inflammation pathogen pathology mutation anemia thrombosis infarction hemoglobin "
        "creatinine ecg mri prognosis etiology physician examination presents fever medication medications "
        "anticoagulation mmhg oncology surgery surgical nerve artery vein"
    ),
    "science": (
        "energy force velocity acceleration mass electron electrons proton atom atoms molecule molecules "
        "reaction chemical acid base cell cells dna gene genes protein proteins species evolution "
        "temperature pressure gas liquid light wave wavelength frequency circuit voltage current magnetic "
        "electric gravity orbit planet planets star stars bacteria virus organism ecosystem photosynthesis "
        "compound solution heat motion experiment bond bonds sunlight soil rock"
    ),
    "advscience": (
        "quantum entropy enthalpy thermodynamic thermodynamics hamiltonian lagrangian schrodinger "
        "relativistic relativity entanglement superposition boson fermion photon photons spectroscopy nmr "
        "stoichiometry equilibrium kinetics orbital orbitals hybridization nucleophilic electrophilic "
        "catalyst catalytic isomer isomers chirality stereochemistry ligand enzyme enzymes mitochondrial "
        "transcription phosphorylation receptor receptors genome allele alleles polymerase plasmid crispr "
        "viscosity turbulence reynolds capacitor capacitors inductance impedance semiconductor moles molar "
        "molarity adiabatic isothermal perturbation hydrogenation spin redshift nucleus isotope isotopes "
        "titration exoplanet oxidation amino peptide rna mrna spectrum eigenstate lattice flux dipole"
    ),
    "finance": (
        "interest investment investor portfolio stock stocks bond bonds yield dividend equity asset assets "
        "liabilities tax taxes depreciation amortization revenue profit margin inflation monetary fiscal "
        "gdp elasticity marginal demand supply monopoly hedge derivative option options volatility "
        "valuation discounted npv irr balance sheet accounting audit credit mortgage loan market "
        "regression econometrics heteroskedasticity var deferred consolidated"
    ),
    "humanities": (
        "philosophy philosophical ethics ethical moral morality kant nietzsche aristotle plato "
        "utilitarianism epistemology ontology metaphysics historical history empire revolution war century "
        "civilization treaty political sociology sociological psychology cognitive theory theories "
        "theology religious literature literary postmodern colonialism feminist hermeneutics argument "
        "premise premises fallacy doctrine ideology phenomenology geopolitical"
    ),
    "constraint": (
        "must only exactly least most without avoid ensure include including never always not except "
        "maximum minimum limit limited between under following format formatted strictly required "
        "requirement requirements constraint constraints respectively instead any no all"
    ),
    "logic": (
        "if then suppose assume given let implies therefore statement statements true false lies liar "
        "truth valid invalid either neither puzzle riddle houses order ordered before after left right "
        "immediately next first second third taller older consistent satisfies exactly infer conclude row "
        "scenario hypothesis possible"
    ),
    "steps": (
        "step steps stepwise step-by-step first second third then next finally plan tutorial guide "
        "detailed comprehensive thorough complete full in-depth section sections table report essay phases "
        "end-to-end"
    ),
}

# A few hundred of the commonest English words: the share of others is a rough measure of how special a text
# is.
COMMON = words(
    "a able about above after again all almost also always am an and another any are around as ask at "
    "away back be because been before being best better between big both but by call came can case "
    "change child children city close come could country day did different do does doing done down each "
    "early easy end enough even ever every example eye face fact family far feel few find first follow "
    "following food for form found four friend from full gave get girl give go going good got great "
    "group had hand has have he head hear help her here high him his home hot house how i if important "
    "in into is it its just keep kind knew know large last late later learn least leave left less let "
    "letter life light like line list little live long look made main make man many may me mean men "
    "might mind money month more morning most mother move much must my name near need never new next "
    "night no not nothing now number of off often old on once one only open or order other our out over "
    "own page part people person picture place plan play please point possible put question quick quite "
    "read real really result right room run said same saw say school second see seem sentence set "
    "several she should show side simple since small so some something sometimes soon sound start state "
    "still stop story study such sure table take talk tell ten than thank that the their them then "
    "there these they thing things think this those thought three through time to today together told "
    "too took top toward tree true try turn two under until up upon us use used using very want was "
    "water way we week well went were what when where which while white who whole why will with without "
    "woman word words work world would write year years yes yet you young your"
)

NUMBER_WORDS: Mapping[str, int] = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "twelve": 12, "fifteen": 15, "twenty": 20, "fifty": 50, "hundred": 100,
    "einem": 1, "zwei": 2, "drei": 3, "une": 1, "deux": 2, "trois": 3, "una": 1, "dos": 2, "tres": 3,
}  # fmt: skip
# Words that tell the shape of the answer, or how long it shall be.
SIGNS: Mapping[str, frozenset[str]] = {
    "table": words("table tabelle tableau tabla tabella tabela tabel таблицу таблица таблицю tablo 表格 表 표"),
    "list": words("list lists bullet bullets liste lista lijst список списком ideas examples tips"),
    "json": words("json yaml xml csv"),
    "write": words(
        "write implement code function script program class fix refactor schreibe écris escribe scrivi "
        "escreva schrijf napisz напиши yaz create build debug query"
    ),
    "terse": words("only just"),  # "print only the letter"
    "number": frozenset(NUMBER_WORDS),
    "unit": words(
        "word words wort wörter wörtern mots palabras parole palavras слов слова sentence sentences satz "
        "sätze sätzen phrase phrases oraciones frases paragraph paragraphs absätze page pages seiten item "
        "items bullet bullets point points line lines idea ideas example examples step steps question "
        "questions reason reasons characters tip tips verses stanzas"
    ),
}


def _fold() -> tuple[dict[str, int], dict[str, int]]:
    exact: dict[str, int] = {}
    stems: dict[str, int] = {}
    for table in (ENGLISH, WORLD):
        for name, text in table.items():
            for word in text.split():
                into, key = (stems, word[:-1]) if word.endswith("*") else (exact, word)
                into.setdefault(key, INDEX[name])
    return exact, stems


EXACT, STEMS = _fold()
STEMS_BY_START: dict[str, tuple[tuple[str, int], ...]] = {}
for _stem, _index in STEMS.items():
    STEMS_BY_START[_stem[:3]] = (*STEMS_BY_START.get(_stem[:3], ()), (_stem, _index))
CJK_TERMS: Mapping[str, int] = {term: INDEX[name] for name, terms in CJK.items() for term in terms.split()}
