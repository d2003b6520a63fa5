"""Hashes that other software made, with low costs: the proof that users can move in.

Django 6.1.3, and passlib 1.7.4 with bcrypt 4.0.1 and argon2-cffi 25.1.0, wrote those of ``DJANGO`` and ``PASSLIB``.
"""

from __future__ import annotations

SHORT = "a"
NON_ASCII = "pässwörd-✓-🐙"
PLAIN = "correct horse battery"

Vector = tuple[str, str, str]
"""A name, the password and its hash."""

SHA_CRYPT_PASSWORD = "0123456789abcdefghijklmnopqrstuvwxyz" * 3

DJANGO: tuple[Vector, ...] = (
    (
        "pbkdf2_sha256-short",
        SHORT,
        "pbkdf2_sha256$3$R0321tZxTAK5ruDex2EBLh$A7w6OjL3IOQ8MZWFG32RaQ8LmfJ1r4Kl2VHTKgydXvU=",
    ),
    ("pbkdf2_sha1-short", SHORT, "pbkdf2_sha1$3$vdSAV54eMmAyLC4MfYmBxB$/oX2QsaNiikpf0hWdr6BvCy5K8o="),
    (
        "argon2-short",
        SHORT,
        "argon2$argon2id$v=19$m=64,t=1,p=2$dW4zeUtmbEx0NlB1aWRDUXZROUFlRA$Sq91bNH2/e/sFwO4+BhWmeDpE4Yd0AQjAWvHnPkdjD4",
    ),
    (
        "scrypt-short",
        SHORT,
        "scrypt$128$MXrjO5ObVCT9SDDe8d45Yu$8$2$zvltpVfxK+jlltL2o0quCGrm3bcKP1B0F/AETX4LCd4Lw8H6P3UTn2JiJIxLE1"
        "1rU1b0Z9YS+2Hv4Lk57Vh0Uw==",
    ),
    ("bcrypt-short", SHORT, "bcrypt$$2b$04$bpSLR7YVwrxMjZStU9u4ZOPwEKRLz9iplNUysxzzHnrvbyXQ0mKCq"),
    ("bcrypt_sha256-short", SHORT, "bcrypt_sha256$$2b$04$O4.ByQ393tH93tiNRbQdoeaI/WPq4fN.kechksY6TkT64.yh1dNTG"),
    (
        "pbkdf2_sha256-non-ascii",
        NON_ASCII,
        "pbkdf2_sha256$3$2QwYC0z9BtqXmUcZXo1rtm$MQpyar1/LLSipgMWZbMc6JpG6hCC1EA46mpoI/C/FJ4=",
    ),
    ("pbkdf2_sha1-non-ascii", NON_ASCII, "pbkdf2_sha1$3$E0nds15PnSUqlYG5V8uXPa$4Ytudd58IxYnajwnh6GFYgyyehQ="),
    (
        "argon2-non-ascii",
        NON_ASCII,
        "argon2$argon2id$v=19$m=64,t=1,p=2$a2NUVjlrMEpzbXhRTUJwY1B6QXBrYQ$vQGr2gay3zAmGUzepboPOPk6ev8kxExrZ0W/FLT5kH0",
    ),
    (
        "scrypt-non-ascii",
        NON_ASCII,
        "scrypt$128$R7giHiQnBfFB9QXg2iXfNy$8$2$NHHo9zvQbVrcXyiHRuSOgW0NeOYyQlvzFSOM33yuwuG820ZlKdsZjOY/HdfsQk"
        "Yx+ud7QNYEFNwLz4zegYdsPQ==",
    ),
    ("bcrypt-non-ascii", NON_ASCII, "bcrypt$$2b$04$GI2UUZZxSWt0jaFF7dFzD.4h/raX67v7P/H0AE6AXmq3uSk/BdBnq"),
    (
        "bcrypt_sha256-non-ascii",
        NON_ASCII,
        "bcrypt_sha256$$2b$04$ADRh.nWIORP6pHlLcNk38.4P7fVv5YmG4.WE/AHHkEWCNXDRHOxSe",
    ),
    (
        "pbkdf2_sha256-plain",
        PLAIN,
        "pbkdf2_sha256$3$h1kJ8I8E7qBdYTl3Ksbhmx$0Gknz6kTVWoc4V7t9T8zXBkzB53GpcotoCWALCfk9BQ=",
    ),
    ("pbkdf2_sha1-plain", PLAIN, "pbkdf2_sha1$3$M9Nh8l5iUyaclSWEyd2GNQ$p5+F6SX2n2kYVIBvjNdELm/u8To="),
    (
        "argon2-plain",
        PLAIN,
        "argon2$argon2id$v=19$m=64,t=1,p=2$YUFhdEZURmltNmhyS3NvUVFSQm5BWA$8YHYvM5wWplbpgZ5QPG7s65drhFwmWpgwy1J6v5iVq8",
    ),
    (
        "scrypt-plain",
        PLAIN,
        "scrypt$128$NHnzxFbwvdTXARs3SCI1Wb$8$2$KkHeREoS8/P6DeVsaMtMfzcXK5TRyvOoJv9EFwfTXVl0V5ymdxOJbNCVXw5f5U"
        "uBEFb7uEs77sKpvKvhi3bfBA==",
    ),
    ("bcrypt-plain", PLAIN, "bcrypt$$2b$04$QdVH34vQkp8OdpP4UOJnFezMB/r/7AqjFej0Ou7xQxrZoDWuHeuC6"),
    ("bcrypt_sha256-plain", PLAIN, "bcrypt_sha256$$2b$04$PbmoHSrKe6G9ZqHVdZrLaOaPbqtoeJ2/NSebJotjiWTWhV8qXLmcK"),
)

PASSLIB: tuple[Vector, ...] = (
    ("pbkdf2_sha1-short", SHORT, "$pbkdf2$3$C4GQ0lprLSWktPaes/b.3w$DyeLc.hF0yx7C/YJbBf.oK0Gz7E"),
    (
        "pbkdf2_sha256-short",
        SHORT,
        "$pbkdf2-sha256$3$HENoDUHIeY/xnlOKEQKAkA$X3vwa/wIpWuM1G9ziEAVjyEYYDoW.s6IfgYY7t4eRX8",
    ),
    (
        "pbkdf2_sha512-short",
        SHORT,
        "$pbkdf2-sha512$3$lxJijPF.z5nz/t.bk1IqpQ$5yKqTNdzEndsyBMa3.5SzYmyU0e8I6F.kbIcUH44VNfYq1GPBmElK8Uxcj76"
        "3iAemfVaays8UFV4SoedmiMKEQ",
    ),
    ("bcrypt-short", SHORT, "$2b$04$28X4ENXLQed1zmCPWPJVI.f3cg.IKq/SE1.hbLg1I3x6eKGanKzuu"),
    ("bcrypt-2a-short", SHORT, "$2a$04$AYNX.JMqBzlDnlHm1QGrCu7H.cHEYgKy55/AknAWNpgWjFvJodJ6S"),
    ("bcrypt-2y-short", SHORT, "$2y$04$6ivX4GI7HseaAKOO8K637OfXhHXjP1GfmB3w5cqTnH2M46Tn.wXh."),
    (
        "bcrypt_sha256-v2-short",
        SHORT,
        "$bcrypt-sha256$v=2,t=2b,r=4$EG18Qbu7CxvjNAmiV8unE.$imCDvzFLTcKJsmq2vYqEFu25pL4s8cS",
    ),
    ("bcrypt_sha256-v1-short", SHORT, "$bcrypt-sha256$2b,4$YTHUXJmBTShm3r18C9PnMO$NFsNi5SWIrTeHsHFrVeTt9B2Xbxo6Y6"),
    (
        "argon2id-short",
        SHORT,
        "$argon2id$v=19$m=64,t=1,p=2$em8t5RzjvHeutbZWylkLgQ$RvawIoI4HZCJCaZ5Xx1iRnQvH821PA0RZSipA0NvXTE",
    ),
    (
        "argon2i-short",
        SHORT,
        "$argon2i$v=19$m=64,t=1,p=2$AQCAEILQmlPqPacUYgzh3A$mznyIvRd3Wl6lGtjpFvaiCDl7g6h54J7wITq7qNhHc4",
    ),
    (
        "argon2d-short",
        SHORT,
        "$argon2d$v=19$m=64,t=1,p=2$0/p/TymlVKqVcu69N0YoxQ$thyFTfhZB/QKaHfA5bo/gSZaaPDq4olcyLdsU4G4j2A",
    ),
    ("scrypt-short", SHORT, "$scrypt$ln=7,r=8,p=2$6L3X+p9zrjUGoNSacw5BiA$Z1o0Zm+JGuZWZjY3Z5aBJc7TbogLYo+EGprdrXGy+kI"),
    ("pbkdf2_sha1-non-ascii", NON_ASCII, "$pbkdf2$3$NaYU4ry3thYCwNhbKwVgbA$YOVxOGnzIzdFPY.WOVzx//PcdyE"),
    (
        "pbkdf2_sha256-non-ascii",
        NON_ASCII,
        "$pbkdf2-sha256$3$45yT8h6DcC4FwNj7H8MY4w$kFJ/cfsfFmSUbMJ7slqafoDvoowRdQZKf9P2knIXSrs",
    ),
    (
        "pbkdf2_sha512-non-ascii",
        NON_ASCII,
        "$pbkdf2-sha512$3$uNcag5AyhrDWOufcmxMCYA$CRAbo1SWq7UO7Am/8MKfuD2Nv/9aNgPKVCuzqc.MdOt0LvFv0L2Sy9tuzlBn"
        "rUlUFpll0.t3sFSFet0aphh/Qw",
    ),
    ("bcrypt-non-ascii", NON_ASCII, "$2b$04$Vto/o3no1HXUgbgcq1AoDuXeNvSoaQVirYjjlwzMADhWBFLmvQAUq"),
    ("bcrypt-2a-non-ascii", NON_ASCII, "$2a$04$KmqrZ8GzIo29R9gs8LBn9u2c1jJAUEC.ToyYnThSxK2zofOn1wTE."),
    ("bcrypt-2y-non-ascii", NON_ASCII, "$2y$04$CFEyPsfQmWjg3NXO.ifrXejHrK68i28f6njJmGkXKaaasC5tA/VkS"),
    (
        "bcrypt_sha256-v2-non-ascii",
        NON_ASCII,
        "$bcrypt-sha256$v=2,t=2b,r=4$lyhiZHhTuqsWz80P.fmlYe$bIpQ5qmLjlLRq4XnvoB6Td.AcntsTcm",
    ),
    (
        "bcrypt_sha256-v1-non-ascii",
        NON_ASCII,
        "$bcrypt-sha256$2b,4$7/eDDujjH4.GwCvuPFnCYe$1H2hDd8sGy/7C9wS7PXSTed9POQiqei",
    ),
    (
        "argon2id-non-ascii",
        NON_ASCII,
        "$argon2id$v=19$m=64,t=1,p=2$WytFCCGk1FoLwThn7P3//w$T/zXvHXRvL8j7R4Y7enp9YRxqUtvEDy29bx/ILcF1dY",
    ),
    (
        "argon2i-non-ascii",
        NON_ASCII,
        "$argon2i$v=19$m=64,t=1,p=2$ZKx1rrWWsjbm3Htvba01Jg$mbrhwSlNRIYXVgbGssVqt7H9SJ72zaZ7SREEDA1ze/w",
    ),
    (
        "argon2d-non-ascii",
        NON_ASCII,
        "$argon2d$v=19$m=64,t=1,p=2$PGcMAeD8X2tN6Z2z1lrLWQ$jTMgI3kyXs2ZMtOje5rZ3BJwiAYlc2mQv6QRgUR6EHw",
    ),
    (
        "scrypt-non-ascii",
        NON_ASCII,
        "$scrypt$ln=7,r=8,p=2$pfT+fw+B0HpPScn5/19r7Q$FwIP54G9ng6uoPYTlg7IS26HkrhwFqPZkM5GB+SyIvc",
    ),
    ("pbkdf2_sha1-plain", PLAIN, "$pbkdf2$3$PMeY8z5n7B3DeC8FQKiVcg$eoBxVczWoIRohA3wwYHaT0F2aCI"),
    (
        "pbkdf2_sha256-plain",
        PLAIN,
        "$pbkdf2-sha256$3$WQtBKOV8b03JufeeM6YUgg$83XuJvGV0ZsqZCzLA7wQNzOuBFocP6wyT9pS74Wxlos",
    ),
    (
        "pbkdf2_sha512-plain",
        PLAIN,
        "$pbkdf2-sha512$3$UYpRilEKgfAeQ4gRAuC8dw$XvMP//xSlNV5WQ5AUba1585rhuOomUX4Ad1l1/rCoc0ZPvaGS74vVnIiqdvK"
        "JJNrVk6To67klOn18GZLnrMhow",
    ),
    ("bcrypt-plain", PLAIN, "$2b$04$GwbdAkW14rh0FuheLmcvOez9TXqlUXLfVibSq6qx0a4Txiiaddo8i"),
    ("bcrypt-2a-plain", PLAIN, "$2a$04$.yiN2TGmoymbPQCtox9Q8u137d7uJf8JJ1ElBHXXs8H0CsYH6..Di"),
    ("bcrypt-2y-plain", PLAIN, "$2y$04$L/6hY1yqDcQS.nDWtZnj7OljROY8zaryg3dIYPmQ5ZMXbUpucAzH6"),
    (
        "bcrypt_sha256-v2-plain",
        PLAIN,
        "$bcrypt-sha256$v=2,t=2b,r=4$lqarm3mSUWQJDSVs89Aiqe$wlZ/59d21JFDGn958w0yM54FETlbRuG",
    ),
    ("bcrypt_sha256-v1-plain", PLAIN, "$bcrypt-sha256$2b,4$9RJShnrYBRr7aWTcd/TJnu$qj0NSwBBF7kdKFXsAp5YvJP523ehCcq"),
    (
        "argon2id-plain",
        PLAIN,
        "$argon2id$v=19$m=64,t=1,p=2$+Z8zhhBiDOGcs7Y25rw3xg$Gp+BrQghhqKR6DjpbGHyEbCLPFSK+v809ixaw36Nxdo",
    ),
    (
        "argon2i-plain",
        PLAIN,
        "$argon2i$v=19$m=64,t=1,p=2$bu0dgzAm5HyPkdK61xoDYA$Oz0IMRZrynW2IhRKSX+Rd1u7J7VK0IW+GeTLF3Rqszc",
    ),
    (
        "argon2d-plain",
        PLAIN,
        "$argon2d$v=19$m=64,t=1,p=2$jxHCuJdSKqX0Pocw5jwHQA$aQOMAeRjLYTyE11PM353SYqRMDRpU5jgFr5CukSnOnQ",
    ),
    ("scrypt-plain", PLAIN, "$scrypt$ln=7,r=8,p=2$TUmptfY+B8BYi3HuvXfu3Q$LzjdTzZlVxqR1Tq7jz/DUCG/L+wnrWO2ACyDjc48G4w"),
)

SHA_CRYPT: tuple[Vector, ...] = (
    ("sha256_crypt-0", "", "$5$rounds=1000$BqUQqwp4avoWdxio$npsOxGh1sO1VpCzq0Ieql9CVaB6hWZJ5vaXc9x4zj32"),
    ("sha256_crypt-1", "0", "$5$rounds=1000$MWC1lg4KD2ZYQR/X$LA4CbQNs.WUzQ6OeV1TjpYoYpj6A21gd5H2QfDoCon1"),
    (
        "sha256_crypt-15",
        SHA_CRYPT_PASSWORD[:15],
        "$5$rounds=1000$AqPOP3Gpm6iKcEMd$mp5WD81QScIe5lU91hK9kbLI6RffDSl0hhfkS9EFM2/",
    ),
    (
        "sha256_crypt-16",
        SHA_CRYPT_PASSWORD[:16],
        "$5$rounds=1000$PExbvgro8lOc.fjb$uavsNjQix1aWwdOk6LIESBoueVEOElReLYpjSWJB920",
    ),
    (
        "sha256_crypt-17",
        SHA_CRYPT_PASSWORD[:17],
        "$5$rounds=1000$FOVmY7.QBRH/o43o$G/NcrhdTy7sRz7cpdAPBL4d/kigmQ/Q7ceYrzLUvqJ4",
    ),
    (
        "sha256_crypt-31",
        SHA_CRYPT_PASSWORD[:31],
        "$5$rounds=1000$BMjBd4Pl2578/1kC$wKcfJv92kNJQJdnWwXBLDSNqNSfRd.t3zfnJhcaDeK2",
    ),
    (
        "sha256_crypt-32",
        SHA_CRYPT_PASSWORD[:32],
        "$5$rounds=1000$2g.BolR6xj79A7Pr$IkwPgPIG8xmAIpSv36HO1YgvIkPIb/.SiKrJoEgzR40",
    ),
    (
        "sha256_crypt-33",
        SHA_CRYPT_PASSWORD[:33],
        "$5$rounds=1000$XXAOqRfVHEJFQ0jv$Qpg06Rz8hj51V/jYhKYkCCARf8dtIzMRS3gMIFnAoY4",
    ),
    (
        "sha256_crypt-63",
        SHA_CRYPT_PASSWORD[:63],
        "$5$rounds=1000$VUkmzqPa2u8bnFDU$A3aybQWE/PeDtmFV2Oa1OzCxE7mwUPwrxNHn.ROCpo5",
    ),
    (
        "sha256_crypt-64",
        SHA_CRYPT_PASSWORD[:64],
        "$5$rounds=1000$FJT6PhFPY.zPC0cC$fyLvoralQ9Ve6EPcHBcaqnT0hsvNefYy6L8HkRvMsj6",
    ),
    (
        "sha256_crypt-65",
        SHA_CRYPT_PASSWORD[:65],
        "$5$rounds=1000$DY3jFILhnGDwdgzo$ITUwb4.sfTRJipXwfxLTNe8Ac2aKY5bp5TWaPccZ9B7",
    ),
    (
        "sha256_crypt-100",
        SHA_CRYPT_PASSWORD[:100],
        "$5$rounds=1000$PPpwwpTjViolBqWR$NdHUji3MuytV/htEM3sPV7wMh3ZF.SRJ7VzIwGecAV0",
    ),
    (
        "sha256_crypt-non-ascii",
        NON_ASCII,
        "$5$rounds=1001$/hpAxrVhH9WGLCac$To1rGWfmAv9lkzJ03BbzKEQidlIumjhMktWxaYRtTv.",
    ),
    ("sha256_crypt-rounds-implicit", "implicit", "$5$HTV7gjcreXEGslJq$BV/XXK26gzRI5q0VOZ544GgiKh/G/Acvh2.rSBv2ugA"),
    ("sha256_crypt-salt-1", "one", "$5$rounds=1000$x$5vtD61r3SQ7pRYy7JZFS/dKmTDlE01GwmLt5SxlCg.."),
    (
        "sha512_crypt-0",
        "",
        "$6$rounds=1000$LQsX1NCmpswbX1YZ$v2zPCaYHSWgpPRjsiojXTt/.2m4H2Ou36WvreR/KWiDLaBkrYla6lnJfOpN3psN1AP1t"
        "nW1fkV7BKGopS0G4T0",
    ),
    (
        "sha512_crypt-1",
        "0",
        "$6$rounds=1000$X3Qh9..3B/PPFWp/$SQUyB2Gxep2IpO5V/7Ip/ddC7z0YUT2Q0ysSqL5YHy6lOwK80n9qypSEkQ2VrWfnYGPW"
        "xlv0UNDC/rnHYIhFf.",
    ),
    (
        "sha512_crypt-15",
        SHA_CRYPT_PASSWORD[:15],
        "$6$rounds=1000$3D/V7U6CI3HKTwUY$FxfvQYt/1b3.MscwQ0FY7PkbNd88EEXMihNXBpOjquoP9oV.de76TOp/ywLZvFocTeON"
        "bykB6FSpEEjdnpciI.",
    ),
    (
        "sha512_crypt-16",
        SHA_CRYPT_PASSWORD[:16],
        "$6$rounds=1000$8.89DmzO9Ed9XWdF$JysOozrxK1eZREQGBrK2uCUpkboTMptgo4ZruqoCgK7Pmiyhrhl5SQew0qdi0ug2MdAp"
        "g3g79i/5NIDh/UQhd/",
    ),
    (
        "sha512_crypt-17",
        SHA_CRYPT_PASSWORD[:17],
        "$6$rounds=1000$4xUnQeoAN5wLHPD2$i.urP4hm2mTR1bqZ/wIl5PVHj0aRr9cT8bq0LQh5Ifi6iMIrtUt9IFcyyUDVeJaztMdO"
        "Ng62QE/6qTP0t6ksa.",
    ),
    (
        "sha512_crypt-31",
        SHA_CRYPT_PASSWORD[:31],
        "$6$rounds=1000$QjvcJRqB09pYacMu$25qahD9xg29NO3or/7hgsLBt.Mqv6rKw9D22aFkzMbsyxLf/NOGiXifRveoZQKhv3sWm"
        "oGIB/bk.PyC3difUh/",
    ),
    (
        "sha512_crypt-32",
        SHA_CRYPT_PASSWORD[:32],
        "$6$rounds=1000$glXTUwl.5oN7Xt8L$1hAACpRPRzlTXSWcgAeZY6BDIEIU0KdQmPIEMfcssHIxqkYgyI7a3qNNqYQGOG5UyKnm"
        "3O/GoI8kJAqF8pZyX/",
    ),
    (
        "sha512_crypt-33",
        SHA_CRYPT_PASSWORD[:33],
        "$6$rounds=1000$.LH.Kj8OGq1o9o86$I5lzVSHq1hs8yt.YNWnF9kQ3tSiEf8X2RRWOXZyOu/R4C3aiI2ls8dItz6o1EgmXnwVW"
        ".GYUaqv4WnyrCH2Ne.",
    ),
    (
        "sha512_crypt-63",
        SHA_CRYPT_PASSWORD[:63],
        "$6$rounds=1000$fQHs8fknuUfg78Jh$mfSzm2QQQi2yqNoD2uL9hMQ.scQ3FT0pAEVqFH059AKj3DCYjJG8jyrVM3mlHSy6xNI7"
        "opT3YSoBpp5qyR79A0",
    ),
    (
        "sha512_crypt-64",
        SHA_CRYPT_PASSWORD[:64],
        "$6$rounds=1000$KVXTDREMouvs/Hik$tY663hswd2EDM7qMWWupbEoXbV.T5RwM9sUDqit4n2.05mVA92Wh5z2ZaB9ZVpyCQeOj"
        "qLAWHCVVsUAXdLoGk.",
    ),
    (
        "sha512_crypt-65",
        SHA_CRYPT_PASSWORD[:65],
        "$6$rounds=1000$Z4Rk.vRwGMo.lhpM$2brYDWCtOL4xRD/PIHZoq0X1vbjNV/9h5LsHCBxrh0bWq.L5N8Syp7RWKxqWtqaR4i52"
        "z7LZsvm8/VfHppAu0/",
    ),
    (
        "sha512_crypt-100",
        SHA_CRYPT_PASSWORD[:100],
        "$6$rounds=1000$eEaRcCg2J./HN30A$eKlUDge5Lukc/rGZcHbE90ovdgBOh7MoIkxY9/YUQ/5r/QGwuigoSEMrnujjF8WPaZrl"
        "XR5fyChyvxj34G4B/1",
    ),
    (
        "sha512_crypt-non-ascii",
        NON_ASCII,
        "$6$rounds=1001$JGc9wv9yh0qQ65fA$S/zedyWYkYRSMwvcGB4.z7NTSwHyzMNJUkmT9tTElALi0l1KB09HWa2yPO9c1xDE8AHo"
        "Bcjk71rWUWBw0QGYs/",
    ),
    (
        "sha512_crypt-rounds-implicit",
        "implicit",
        "$6$GdNtosP6byNGsFOD$gEU1JE4nZeX5pYvFt83luqVMyxNEgHEfu98YzN9yRHMRsKo3AQapR4PcJF4PXIOXp/PYCvMvteneGDMgoWpJp/",
    ),
    (
        "sha512_crypt-salt-1",
        "one",
        "$6$rounds=1000$x$u.o3IpiszsmHbfeaY9As5moGOEDjIgPACpVV3WF0mUcpgqGEhmACAyrx/pO68sP8bQlt5IpsZNhyW4uqz44NY1",
    ),
)
"""Around each block size of the two digests; written by passlib."""

DREPPER: tuple[Vector, ...] = (
    ("$5$saltstring", "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
    (
        "$5$rounds=10000$saltstringsaltstring",
        "Hello world!",
        "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
    ),
    (
        "$5$rounds=5000$toolongsaltstring",
        "This is just a test",
        "$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5",
    ),
    (
        "$5$rounds=1400$anotherlongsaltstring",
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1",
    ),
    (
        "$5$rounds=77777$short",
        "we have a short salt string but not a short password",
        "$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/",
    ),
    (
        "$5$rounds=123456$asaltof16chars..",
        "a short string",
        "$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD",
    ),
    (
        "$5$rounds=10$roundstoolow",
        "the minimum number is still observed",
        "$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC",
    ),
    (
        "$6$saltstring",
        "Hello world!",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ),
    (
        "$6$rounds=10000$saltstringsaltstring",
        "Hello world!",
        "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTB"
        "mSK6H9qs/y3RnOaw5v.",
    ),
    (
        "$6$rounds=5000$toolongsaltstring",
        "This is just a test",
        "$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSb"
        "q3y6JMxxl8audkUEm0",
    ),
    (
        "$6$rounds=1400$anotherlongsaltstring",
        "a very much longer text to encrypt.  This one even stretches over morethan one line.",
        "$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7"
        "o7UmJEiDwGqd8p4ur1",
    ),
    (
        "$6$rounds=77777$short",
        "we have a short salt string but not a short password",
        "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0",
    ),
    (
        "$6$rounds=123456$asaltof16chars..",
        "a short string",
        "$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgM"
        "NrCzIMVcgEJAstJeonj1",
    ),
    (
        "$6$rounds=10$roundstoolow",
        "the minimum number is still observed",
        "$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0d"
        "qbpBYYBaHHrsX.",
    ),
)
"""Ulrich Drepper, "Unix crypt using SHA-256 and SHA-512", section "Test vectors"."""

BCRYPT_OF_72_X = "$2b$04$vFEU8.T1H8K4Khgj8CB2Pu4P3.axKnLzhHQwJ6eN2CkFsi4u6EzMG"
PASSLIB_BCRYPT_SHA256_OF_80_X = "$bcrypt-sha256$v=2,t=2b,r=4$pOOorRkjrXg3c0Hg9i5.gu$JOcfuuSlWYqdlF9HYxtL9isPzHa.TLy"
DJANGO_BCRYPT_SHA256_OF_80_X = "bcrypt_sha256$$2b$04$MJwFlR9A/WLQ/aWDQei0AuGo398HQ5zv/nm17TJXWDxRpoVkvQjb."

FLASK_SECURITY_SALT = "a salt of theirs"

FLASK_SECURITY: tuple[Vector, ...] = (
    ("bcrypt-plain", PLAIN, "$2b$04$uUCZA1PF9klKy0yYnBeVCOek01SXXBqFOdVo8Ip4jgBznbSwLweWC"),
    ("bcrypt-non-ascii", NON_ASCII, "$2b$04$QDpghw32VnNh8DgGW2K79eqLfNrG9TeyPAyVfH50xHV8jD9M84Do2"),
    (
        "argon2-plain",
        PLAIN,
        "$argon2id$v=19$m=64,t=1,p=2$GQPAeA/hHGOsVSplLIVwrg$O9isYJUQO5ba/v7m8ahRJt+aN9dVxAuhCwRZbidMb3o",
    ),
    (
        "argon2-non-ascii",
        NON_ASCII,
        "$argon2id$v=19$m=64,t=1,p=2$rTUmpBSi9B7jnFNKKQWA0A$bTjRee0mFLymsYYqSwNvls/vKYaeaRo/bfjBP8LTLHY",
    ),
    (
        "pbkdf2_sha512-plain",
        PLAIN,
        "$pbkdf2-sha512$3$8D5nzHmv1XpPKeW8V6pVCg$MNyDDnCjR1M.V98kxemDZ.1Ny/E1xRvk4ixlh0/O9fC7EDo9Pj5d9yWO1pMGqBxk"
        "S7ipKKQtDlIchT6gMSDJHw",
    ),
    (
        "pbkdf2_sha512-non-ascii",
        NON_ASCII,
        "$pbkdf2-sha512$3$G6N0rhVC6B3D2HtPiTHGGA$VpQFr6ZR.emUsgIRY.VFvGmvMhY5wwoxS4cq6d/95EI8X/8S6S1BhvaQFovtU8L1"
        "kkaqD6VmXppm.1OMTLM1Fg",
    ),
    (
        "sha512_crypt-plain",
        PLAIN,
        "$6$rounds=1000$TVMm/Cp0RyPTEdOU$J1hDKXVjgYzh9jvXv8i7wuiWQLJBUBklLAj96TqOCKXGEoSD0DOxaIRxx27wFuAvTFAikeSA"
        "ca7fmatN3WJ1x.",
    ),
    (
        "sha512_crypt-non-ascii",
        NON_ASCII,
        "$6$rounds=1000$hgBaHuHCWlVst3Aw$WAx18dJeByrlPQPp7RFv90RI63jBDrAadPCBzumNkbQ90pmAk5c..c3/EE9jk3yFhsiAL2Aq"
        "DVAUcgsLnaJYI/",
    ),
)
"""Written by Flask-Security 5.9.2 with its default SECURITY_PASSWORD_SINGLE_HASH."""
