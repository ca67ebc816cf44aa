-- Names of browsers and systems become a closed list (model/product.py): hits that were stored before may hold others,
-- which came from User-Agents and from imports. Other spellings get the list's name; what is unknown becomes empty.
CREATE TEMP TABLE known_browser (word VARCHAR, name VARCHAR);
INSERT INTO known_browser VALUES
    ('360 browser', '360 Browser'), ('alipay', 'Alipay'), ('aloha', 'Aloha'), ('amazon silk', 'Silk'),
    ('android browser', 'Android Browser'), ('android webview', 'Android WebView'), ('arc', 'Arc'),
    ('avast secure browser', 'Avast Secure Browser'), ('avg secure browser', 'AVG Secure Browser'),
    ('baidu', 'Baidu'), ('basilisk', 'Basilisk'), ('blackberry browser', 'BlackBerry Browser'),
    ('bluesky', 'Bluesky'), ('brave', 'Brave'), ('brave browser', 'Brave'), ('camino', 'Camino'),
    ('ccleaner browser', 'CCleaner Browser'), ('chrome', 'Chrome'), ('chrome headless', 'Chrome'),
    ('chrome ios', 'Chrome'), ('chrome mobile', 'Chrome'), ('chrome mobile ios', 'Chrome'),
    ('chrome mobile webview', 'Android WebView'), ('chrome webview', 'Android WebView'), ('chromium', 'Chrome'),
    ('coc coc', 'Coc Coc'), ('comodo dragon', 'Comodo Dragon'), ('daum', 'Daum'), ('dillo', 'Dillo'),
    ('dingtalk', 'DingTalk'), ('discord', 'Discord'), ('dolphin', 'Dolphin'), ('douyin', 'Douyin'),
    ('duckduckgo', 'DuckDuckGo'), ('duckduckgo mobile', 'DuckDuckGo'), ('duckduckgo privacy browser', 'DuckDuckGo'),
    ('ecosia', 'Ecosia'), ('edge', 'Edge'), ('edge chromium', 'Edge'), ('edge mobile', 'Edge'), ('edgehtml', 'Edge'),
    ('elinks', 'ELinks'), ('epic', 'Epic'), ('epiphany', 'GNOME Web'), ('facebook', 'Facebook'), ('falkon', 'Falkon'),
    ('firefox', 'Firefox'), ('firefox focus', 'Firefox Focus'), ('firefox ios', 'Firefox'),
    ('firefox klar', 'Firefox Focus'), ('firefox mobile', 'Firefox'), ('flipboard', 'Flipboard'),
    ('floorp', 'Floorp'), ('ginstagram', 'Instagram'), ('gnome web', 'GNOME Web'), ('google', 'Google app'),
    ('google app', 'Google app'), ('google search app', 'Google app'), ('headlesschrome', 'Chrome'),
    ('heytap browser', 'HeyTap Browser'), ('huawei browser', 'Huawei Browser'), ('icab', 'iCab'),
    ('icecat', 'IceCat'), ('ie', 'Internet Explorer'), ('ie mobile', 'Internet Explorer'),
    ('iemobile', 'Internet Explorer'), ('instagram', 'Instagram'), ('internet explorer', 'Internet Explorer'),
    ('iron', 'Iron'), ('k-meleon', 'K-Meleon'), ('kakaotalk', 'KakaoTalk'), ('konqueror', 'Konqueror'),
    ('kuaishou', 'Kuaishou'), ('ladybird', 'Ladybird'), ('lark', 'Lark'), ('librewolf', 'LibreWolf'),
    ('liebao', 'Liebao'), ('line', 'LINE'), ('linkedin', 'LinkedIn'), ('links', 'Links'), ('lynx', 'Lynx'),
    ('mastodon', 'Mastodon'), ('maxthon', 'Maxthon'), ('messenger', 'Messenger'), ('mi browser', 'Mi Browser'),
    ('microsoft edge', 'Edge'), ('microsoft teams', 'Microsoft Teams'), ('midori', 'Midori'),
    ('miui browser', 'Mi Browser'), ('mobile safari', 'Safari'), ('mobile safari ui/wkwebview', 'Safari'),
    ('msie', 'Internet Explorer'), ('naver', 'NAVER'), ('netfront', 'NetFront'), ('netscape', 'Netscape'),
    ('netsurf', 'NetSurf'), ('nintendo', 'Nintendo'), ('nokia browser', 'Nokia Browser'),
    ('norton browser', 'Norton Browser'), ('omniweb', 'OmniWeb'), ('opera', 'Opera'), ('opera gx', 'Opera GX'),
    ('opera mini', 'Opera Mini'), ('opera mobile', 'Opera'), ('opera next', 'Opera'), ('opera touch', 'Opera Touch'),
    ('oppo browser', 'HeyTap Browser'), ('orion', 'Orion'), ('outlook', 'Outlook'), ('pale moon', 'Pale Moon'),
    ('phoenix', 'Phoenix'), ('pinterest', 'Pinterest'), ('playstation', 'PlayStation'), ('puffin', 'Puffin'),
    ('qq', 'QQ'), ('qq browser', 'QQ Browser'), ('quark', 'Quark'), ('quora', 'Quora'),
    ('qutebrowser', 'qutebrowser'), ('reddit', 'Reddit'), ('safari', 'Safari'), ('safari (in-app)', 'Safari'),
    ('samsung browser', 'Samsung Internet'), ('samsung internet', 'Samsung Internet'),
    ('samsung internet browser', 'Samsung Internet'), ('seamonkey', 'SeaMonkey'), ('servo', 'Servo'),
    ('silk', 'Silk'), ('silk browser', 'Silk'), ('slack', 'Slack'), ('sleipnir', 'Sleipnir'),
    ('smart tv', 'Smart TV'), ('snapchat', 'Snapchat'), ('sogou browser', 'Sogou Browser'),
    ('sogou explorer', 'Sogou Browser'), ('sogou mobile', 'Sogou Browser'), ('spotify', 'Spotify'),
    ('steam', 'Steam'), ('taobao', 'Taobao'), ('telegram', 'Telegram'), ('threads', 'Threads'),
    ('thunderbird', 'Thunderbird'), ('tiktok', 'TikTok'), ('toutiao', 'Toutiao'), ('tumblr', 'Tumblr'),
    ('twitter', 'X'), ('uc', 'UC Browser'), ('uc browser', 'UC Browser'), ('ucbrowser', 'UC Browser'),
    ('viber', 'Viber'), ('vivaldi', 'Vivaldi'), ('vivo browser', 'Vivo Browser'), ('vk', 'VK'), ('w3m', 'w3m'),
    ('waterfox', 'Waterfox'), ('webkit', 'Safari'), ('wechat', 'WeChat'), ('wecom', 'WeCom'), ('weibo', 'Weibo'),
    ('whale', 'Whale'), ('whale browser', 'Whale'), ('whatsapp', 'WhatsApp'), ('x', 'X'),
    ('xiaohongshu', 'Xiaohongshu'), ('yahoo', 'Yahoo'), ('yandex', 'Yandex Browser'),
    ('yandex browser', 'Yandex Browser'), ('zalo', 'Zalo'), ('zen', 'Zen'), ('zhihu', 'Zhihu');
UPDATE hit SET
    browser = coalesce((SELECT name FROM known_browser WHERE word = lower(trim(browser))), ''),
    browser_version = CASE
        WHEN lower(trim(browser)) IN (SELECT word FROM known_browser WHERE name IN
            ('Android Browser', 'GNOME Web', 'Opera', 'Opera Mini', 'Safari'))
        THEN regexp_extract(browser_version, '^([0-9]{1,3}([.][0-9]{1,3})?)([^0-9]|$)', 1)
        WHEN lower(trim(browser)) IN (SELECT word FROM known_browser)
        THEN regexp_extract(browser_version, '^([0-9]{1,3})([^0-9]|$)', 1)
        ELSE ''
    END
WHERE (browser <> '' OR browser_version <> '')
    AND (browser NOT IN (SELECT name FROM known_browser)
        OR NOT regexp_full_match(browser_version, '([0-9]{1,3}([.][0-9]{1,3})?)?'));
DROP TABLE known_browser;

CREATE TEMP TABLE known_system (word VARCHAR, name VARCHAR);
INSERT INTO known_system VALUES
    ('aix', 'AIX'), ('amigaos', 'AmigaOS'), ('android', 'Android'), ('bada', 'Bada'), ('beos', 'BeOS'),
    ('blackberry', 'BlackBerry'), ('blackberry os', 'BlackBerry'), ('chrome os', 'Chrome OS'),
    ('chromeos', 'Chrome OS'), ('chromium os', 'Chrome OS'), ('dragonfly', 'DragonFly BSD'),
    ('dragonfly bsd', 'DragonFly BSD'), ('firefox os', 'Firefox OS'), ('freebsd', 'FreeBSD'), ('fuchsia', 'Fuchsia'),
    ('gnu/linux', 'Linux'), ('haiku', 'Haiku'), ('harmony', 'HarmonyOS'), ('harmony os', 'HarmonyOS'),
    ('harmonyos', 'HarmonyOS'), ('hp-ux', 'HP-UX'), ('ios', 'iOS'), ('ipad os', 'iPadOS'), ('ipados', 'iPadOS'),
    ('irix', 'IRIX'), ('kaios', 'KaiOS'), ('lg webos', 'webOS'), ('linux', 'Linux'), ('mac', 'macOS'),
    ('mac os', 'macOS'), ('mac os x', 'macOS'), ('macos', 'macOS'), ('meego', 'MeeGo'), ('netbsd', 'NetBSD'),
    ('nintendo', 'Nintendo'), ('openbsd', 'OpenBSD'), ('openharmony', 'HarmonyOS'), ('os x', 'macOS'),
    ('os/2', 'OS/2'), ('playstation', 'PlayStation'), ('risc os', 'RISC OS'), ('roku', 'Roku'),
    ('sailfish', 'Sailfish OS'), ('sailfish os', 'Sailfish OS'), ('solaris', 'SunOS'), ('sunos', 'SunOS'),
    ('symbian', 'Symbian'), ('symbianos', 'Symbian'), ('tizen', 'Tizen'), ('tvos', 'tvOS'), ('watchos', 'watchOS'),
    ('webos', 'webOS'), ('windows', 'Windows'), ('windows mobile', 'Windows Phone'), ('windows nt', 'Windows'),
    ('windows phone', 'Windows Phone'), ('xbox', 'Xbox');
CREATE TEMP TABLE known_edition (system VARCHAR, edition VARCHAR);
INSERT INTO known_edition VALUES
    ('Linux', 'AlmaLinux'), ('Linux', 'Alpine'), ('Linux', 'Arch'), ('Linux', 'CentOS'), ('Linux', 'Debian'),
    ('Linux', 'Deepin'), ('Linux', 'Elementary'), ('Linux', 'Fedora'), ('Linux', 'Gentoo'), ('Linux', 'Mageia'),
    ('Linux', 'Mandriva'), ('Linux', 'Manjaro'), ('Linux', 'Mint'), ('Linux', 'NixOS'), ('Linux', 'Oracle'),
    ('Linux', 'Pop!_OS'), ('Linux', 'Raspbian'), ('Linux', 'Red Hat'), ('Linux', 'Rocky'), ('Linux', 'SUSE'),
    ('Linux', 'Slackware'), ('Linux', 'Ubuntu'), ('Linux', 'Zorin'), ('Nintendo', '3DS'), ('Nintendo', 'DSi'),
    ('Nintendo', 'Switch'), ('Nintendo', 'Wii'), ('Nintendo', 'Wii U'), ('PlayStation', 'Portable'),
    ('PlayStation', 'Vita'), ('Windows', '2000'), ('Windows', '95'), ('Windows', '98'), ('Windows', 'CE'),
    ('Windows', 'ME'), ('Windows', 'NT'), ('Windows', 'Vista'), ('Windows', 'XP'), ('Xbox', '360'), ('Xbox', 'One'),
    ('Xbox', 'Series S'), ('Xbox', 'Series X');
UPDATE hit SET
    system = coalesce((SELECT name FROM known_system WHERE word = lower(trim(system))), ''),
    system_version = CASE
        WHEN lower(trim(system)) IN (SELECT word FROM known_system WHERE name NOT IN ('Linux', 'Chrome OS'))
        THEN regexp_extract(system_version, '^([0-9]{1,3}([.][0-9]{1,3})?)([^0-9]|$)', 1)
        ELSE ''
    END
WHERE (system <> '' OR system_version <> '')
    AND (system, system_version) NOT IN (SELECT (system, edition) FROM known_edition)
    AND (system NOT IN (SELECT name FROM known_system)
        OR NOT regexp_full_match(system_version, '([0-9]{1,3}([.][0-9]{1,3})?)?')
        OR (system IN ('Linux', 'Chrome OS') AND system_version <> ''));
DROP TABLE known_edition;
DROP TABLE known_system;
