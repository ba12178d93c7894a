"""The categories of `lexicon` in other languages. Entries that end in `*` match every word that begins with
them.

Chinese, Japanese and Korean terms are searched inside the text, since their words are not set apart (or not
by spaces alone).
"""

WORLD = {
    "greet": (
        "hallo moin guten danke tschüss morgen bonjour salut merci coucou bonsoir hola buenos buenas "
        "gracias adiós ciao buongiorno grazie olá obrigado obrigada dag bedankt dank cześć dzień dziękuję "
        "привет здравствуй* спасибо привіт дякую вітаю merhaba selam teşekkür* günaydın مرحبا السلام شكرا "
        "أهلا שלום תודה היי नमस्ते धन्यवाद शुक्रिया"
    ),
    "lookup": (
        "wer wann wo hauptstadt bedeutet heißt qui quand où capitale signifie quién cuándo dónde capital "
        "significa chi quando dove quem onde wie wanneer hoofdstad betekent kto kiedy gdzie stolica "
        "stolicą oznacza кто когда где столица столицей столицею хто коли де kim nerede zaman başkenti "
        "başkent من متى أين عاصمة מי מתי איפה בירת הבירה कौन कब कहाँ राजधानी"
    ),
    "service": (
        "bestellung rückgabe konto passwort lieferung rechnung kündig* erstatt* storn* öffnungszeit* "
        "commande rembours* compte livraison facture pedido reembolso cuenta contraseña entrega factura "
        "ordine rimborso consegna conta senha devolução bestelling terugbetal* wachtwoord zamówieni* zwrot "
        "hasło konta заказ* возврат* пароль аккаунт* доставк* замовлен* поверн* sipariş* iade şifre* "
        "hesab* طلب* استرداد كلمة المرور حساب הזמנה החזר סיסמה חשבון ऑर्डर वापसी पासवर्ड खाता रिफंड"
    ),
    "classify": (
        "klassifizier* stimmung positiv negativ kategor* klassif* classe classer classez sentiment* "
        "positif négatif positivo negativo positivos clasific* classific* klasyfik* классифиц* тональн* "
        "класифік* sınıflandır* duygu olumlu olumsuz صنف المشاعر סווג רגש वर्गीकृत भावना"
    ),
    "summarise": (
        "fass fasse zusammen zusammenfass* résum* resum* resumen riassu* samen samenvat* streść streszcz* "
        "podsumuj резюмир* кратко суммир* підсумуй стисло özetle özet لخص ملخص סכם תקציר सारांश संक्षेप"
    ),
    "translate": (
        "übersetz* tradui* traduction traduc* traduzi* tradu* vertaal* przetłumacz* tłumacz* перевед* "
        "перевод* переклад* çevir* ترجم* תרגם תרגום अनुवाद"
    ),
    "edit": (
        "korrigier* verbesser* umformulier* corrig* reformul* mejora correggi melhore verbeter* popraw "
        "исправ* перефраз* виправ* düzelt* صحح תקן सुधार"
    ),
    "write": (
        "schreib* roman lied песн* сценари* рифм* четверостиш* диалог* персонаж* канц* пісн* сценарі* "
        "personaje* historia canción personnage* chanson scénario truyện thơ romanzo canzone personagg* "
        "música personagem gedicht geschichte brief aufsatz écri* poème histoire lettre escrib* poema "
        "cuento carta scriv* poesia racconto lettera escrev* conto schrijf verhaal napisz wiersz "
        "opowiadanie list напиши* стих* рассказ* письмо напиш* вірш оповідання лист yaz şiir hikaye mektup "
        "اكتب قصيدة قصة رسالة כתוב שיר סיפור מכתב लिखो लिखें लिखिए कविता कहानी पत्र"
    ),
    "explain": (
        "erklär* warum wieso beschreib* weshalb expliqu* pourquoi décri* explic* explique porqué describ* "
        "spiega* perché descriv* leg uitleggen waarom beschrijf wyjaśnij dlaczego opisz объясн* почему "
        "опиши* поясн* чому açıkla* neden niçin anlat اشرح لماذا صف وضح הסבר למה מדוע תאר समझाइए समझाओ "
        "समझाएं क्यों व्याख्या"
    ),
    "compare": (
        "vergleich* unterschied* bewert* analys* vorteile nachteile abwäg* compar* différence* évalu* "
        "avantag* diferencia* evalúa analiz* ventaj* confront* differenz* valuta analizz* diferença* "
        "avali* analis* vergelijk* verschil* analyse porówn* różnic* oceń сравни* отлич* разниц* анализ* "
        "оцен* порівня* відмінн* оціни karşılaştır* fark* değerlendir* قارن الفرق حلل قيم השווה הבדל נתח "
        "तुलना अंतर विश्लेषण"
    ),
    "prove": (
        "beweis* zeige herleit* leite widerspruch unendlich démontr* prouve* preuve déduire demuestr* "
        "demostr* prueba deriva infinit* dimostr* provare dedurre prove demonstr* deduza bewijs* afleid* "
        "oneindig* udowodni* dowód wyprowad* nieskończ* докаж* доказ* вывед* теорем* бесконечн* довед* "
        "доведення нескінченн* kanıtla* ispat* sonsuz أثبت برهن اشتق برهان הוכח הוכיחו הוכחה אינסוף सिद्ध "
        "प्रमाण साबित अनंत"
    ),
    "story": (
        "insgesamt jeweils kostet prozent hälfte doppelt stunde stunden au total chacun coûte moitié "
        "heures cuesta mitad cada horas costa metà ogni ore metade custa totaal kost helft uur kosztuje "
        "połow* godzin* razem стоит всего каждый половин* часов час* коштує всього кожен годин* toplam kaç "
        "tane yarısı saat tutar كم يكلف نصف ساعة ساعات كل כמה עולה חצי שעה שעות कितने कुल प्रत्येक आधा घंटे"
    ),
    "maths": (
        "gleichung* berechne* dreieck* primzahl* ganzzahl* zahlen zahl summe wahrscheinlich* équation* "
        "calcul* nombre* premiers entier* somme probabilit* ecuación ecuaciones número* primos entero* "
        "suma probabilidad equazion* calcola numer* primi equaç* soma vergelijking bereken* priemgetal* "
        "getal* kans równani* oblicz* liczb* pierwsz* prawdopodob* уравнен* вычисл* числ* простых сумм* "
        "вероятн* рівнян* обчисл* простих сума ймовірн* denklem* hesapla* asal sayı* toplamı olasılı* "
        "معادلة احسب عدد الأعداد الأولية مجموع احتمال משוואה חשב מספר* ראשוניים סכום הסתברות समीकरण गणना "
        "संख्या* अभाज्य योग प्रायिकता"
    ),
    "advmath": (
        "integral* ableitung* matrix matrizen eigenwert* polynom* stetig* dérivée* intégrale* matrice* "
        "valeurs propres continues derivada* matriz matrices autovalor* derivat* autovalori pochodn* całk* "
        "macierz* ciągł* производн* интеграл* матриц* собственн* непрерывн* похідн* інтеграл* власн* "
        "türev* matris* özdeğer* مشتقة تكامل مصفوفة נגזרת אינטגרל מטריצה अवकलज समाकलन आव्यूह आइगेन"
    ),
    "code": (
        "javascript-fun* python-fun* программу скрипт* javascript funktion* skript liste zeichenkette* "
        "datenbank* fonction* programme chaîne* función lista cadena* programa* funzion* stringa função "
        "functie lijst funkcj* program* listę napis bazy функци* программ* список строк* функці* програм* "
        "рядок fonksiyon* دالة برنامج قائمة פונקציה תוכנית רשימה फ़ंक्शन फंक्शन प्रोग्राम सूची"
    ),
    "advcode": (
        "nebenläufig* verteilt* skalierb* algorithm* latenz* concurren* distribué* évolutiv* algorithme* "
        "concurrente* distribuid* escalab* algoritm* distribuit* scalabil* gedistribueerd* schaalbaar* "
        "współbież* rozproszon* skalowaln* algorytm* параллельн* распредел* масштабир* алгоритм* "
        "розподілен* масштабован* dağıtık ölçeklen* algoritma* موزع خوارزمية מבוזרת אלגוריתם वितरित "
        "एल्गोरिदम"
    ),
    "design": (
        "entwirf entwerfe entwurf architektur* ausfallsicher* conçois concevoir architectur* conception "
        "diseñ* arquitectura progett* architettura projet* arquitetura ontwerp* architectuur zaprojektuj "
        "спроектир* архитектур* спроєкту* архітектур* tasarla* mimari* صمم معمارية הנדסה תכנן ארכיטקטורה "
        "डिज़ाइन आर्किटेक्चर"
    ),
    "law": (
        "recht* gesetz* haftung* vertrag* klage* gericht* droit juridi* contrat* responsabilité tribunal* "
        "ley jurídic* contrato* responsabilidad legge giuridic* contratto responsabilità direito* lei "
        "contract aansprakelijk* prawo prawn* umow* odpowiedzialnoś* сąd закон* договор* ответственност* "
        "суд* право* відповідальн* hukuk* sözleşme* sorumlulu* mahkeme قانون عقد مسؤولية محكمة חוק חוזה "
        "אחריות משפט कानून अनुबंध दायित्व"
    ),
    "medicine": (
        "patient* diagnos* behandlung* symptom* nieren* herz* dosis diagnost* traitement* symptôm* médic* "
        "rein* paciente* tratamient* síntoma* pazient* sintom* trattament* tratament* sintoma* behandeling "
        "leczeni* objaw* pacjent* nerek пациент* диагно* лечен* симптом* почечн* пацієнт* лікуван* hasta* "
        "tanı tedavi* belirti* مريض تشخيص علاج أعراض חולה אבחון טיפול मरीज निदान उपचार लक्षण रोगी"
    ),
    "science": (
        "energie kraft geschwindigkeit molekül* zelle* énergi* vitesse molécul* cellul* energía fuerza "
        "velocidad energia forza velocità molecol* célula* snelheid siła prędkość komórk* энерги* скорост* "
        "молекул* клетк* енергі* швидк* клітин* enerji kuvvet hız hücre* طاقة قوة سرعة خلية אנרגיה כוח "
        "מהירות תא ऊर्जा बल वेग कोशिका"
    ),
    "advscience": (
        "quanten* quantique* entrop* thermodynam* verschränk* relativität* cuántic* termodinámic* "
        "entrelaz* relativid* quantistic* termodinamic* kwantow* termodynam* квантов* энтропи* термодинам* "
        "относительн* ентропі* kuantum* entropi* termodinam* الكم كمومي إنتروبيا קוונטי* אנטרופיה क्वांटम "
        "एन्ट्रॉपी"
    ),
    "finance": (
        "zins* steuer* aktie* inflation* rendite* intérêt* impôt* interés impuesto* inflación interess* "
        "imposte inflazion* juros imposto* inflação rente belasting* odsetk* podat* inflacj* процент* "
        "налог* инфляц* відсотк* подат* інфляц* faiz* vergi* enflasyon* فائدة ضريبة التضخم ריבית מס "
        "אינפלציה ब्याज कर मुद्रास्फीति"
    ),
    "humanities": (
        "philosoph* ethik* geschichtlich* éthique* filosof* étic* etica filozof* etyk* философ* этик* "
        "філософ* етик* felsefe* etik فلسفة أخلاق פילוסופ* אתיקה दर्शन नैतिक*"
    ),
    "constraint": (
        "muss genau mindestens höchstens nur ohne maximal doit exactement moins seulement sans maximum "
        "debe exactamente menos solo sin máximo deve esattamente almeno senza apenas sem moet precies "
        "minstens alleen zonder musi dokładnie tylko bez najwyżej должен ровно только без повинен рівно "
        "тільки sadece tam en az olmadan فقط بالضبط بدون רק בדיוק ללא केवल ठीक बिना"
    ),
    "logic": (
        "wenn dann angenommen sei falls si alors supposons soit entonces supongamos sea se allora "
        "supponiamo sia então suponha als dan stel jeśli wtedy załóżmy niech если тогда пусть якщо тоді "
        "нехай eğer ise olsun إذا فإن ليكن אם אז נניח अगर यदि तो मान"
    ),
    "steps": (
        "schritt* ausführlich étape* détaill* paso* detalla* passo passi dettagli* passos stap* "
        "gedetailleerd krok* szczegółow* шаг* подробн* крок* детальн* adım* ayrıntılı خطوة خطوات بالتفصيل "
        "שלב* פירוט चरण विस्तार"
    ),
}

CJK = {
    "greet": ("你好 您好 谢谢 早上好 再见 こんにちは ありがとう おはよう こんばんは 안녕 감사 고마워 สวัสดี ขอบคุณ"),
    "lookup": "首都 是谁 谁是 什么时候 哪里 哪个 誰 いつ どこ 首都は 수도 누구 언제 어디",
    "service": ("订单 退款 退货 密码 账户 快递 注文 返品 返金 パスワード 配送 주문 환불 반품 비밀번호 배송"),
    "classify": "分类 情感 正面 负面 標籤 标签 分類 感情 ポジティブ ネガティブ 분류 감정 긍정 부정",
    "summarise": "总结 摘要 概括 要約 まとめ 요약 정리",
    "translate": "翻译 译成 翻訳 訳して 번역",
    "edit": "润色 改写 修改 校正 修正 推敲 고쳐 교정 다듬",
    "write": (
        "写一 小说 剧情 角色 续写 歌詞 歌词 ヒロイン 脚本 诗 故事 作文 邮件 文案 書いて 詩 物語 小説 "
        "メール 써 시를 이야기 작성"
    ),
    "explain": "解释 为什么 说明 如何 怎么 描述 説明 なぜ どうして どのように 설명 왜 어떻게",
    "compare": "比较 区别 分析 评估 优缺点 権衡 权衡 比較 違い 分析して 評価 비교 차이 분석 평가 장단점",
    "prove": "证明 推导 无穷 无限 定理 証明 導出 無限 증명 유도 무한 정리를",
    "story": ("一共 多少 每个 一半 剩下 小时 元 全部で いくつ いくら 半分 時間 合計 모두 얼마 절반 시간 총"),
    "maths": ("方程 计算 三角形 质数 素数 整数 概率 求和 方程式 計算 確率 방정식 계산 소수 정수 확률 삼각형"),
    "advmath": ("积分 导数 微分 矩阵 特征值 多项式 連続 積分 行列 固有値 多項式 적분 미분 행렬 고윳값 다항식 연속"),
    "code": (
        "写出代码 函数 代码 程序 编程 列表 字符串 脚本 关数 関数 コード プログラム リスト 文字列 함수 코드 "
        "프로그램 리스트 문자열"
    ),
    "advcode": (
        "并发 分布式 算法 线程 死锁 延迟 缓存 一致性 並行 分散 アルゴリズム スレッド スケーラブル 동시성 "
        "분산 알고리즘 스레드 확장"
    ),
    "design": "设计 架构 高可用 迁移 方案 設計 アーキテクチャ 移行 설계 아키텍처 마이그레이션",
    "law": "法律 合同 责任 法院 诉讼 条款 法的 契約 責任 裁判 条項 법률 계약 책임 법원 조항",
    "medicine": "患者 诊断 治疗 症状 剂量 肾 診断 治療 投与 腎 환자 진단 치료 증상 용량",
    "science": "能量 速度 分子 细胞 化学 力学 エネルギー 細胞 에너지 속도 분자 세포",
    "advscience": ("量子 熵 热力学 相对论 纠缠 エントロピー 熱力学 相対論 もつれ 양자 엔트로피 열역학 상대성"),
    "finance": "利率 税 股票 通货膨胀 投资 金利 税金 株 インフレ 投資 금리 세금 주식 인플레이션 투자",
    "humanities": "哲学 伦理 道德 历史 哲學 倫理 道徳 歴史 철학 윤리 도덕 역사",
    "constraint": ("必须 只能 恰好 至少 不超过 不要 必ず ちょうど だけ 以内 以上 せずに 반드시 정확히 이하 이상 만"),
    "logic": "如果 假设 那么 设 もし 仮定 とする ならば 만약 가정 그러면",
    "steps": "步骤 详细 逐步 一步 ステップ 詳しく 手順 단계 자세히",
}
