/// A schema with its canonical form, and its CRC-64 where there is one.
struct CanonicalCase: Sendable {
    let input: String
    let form: String
    var crc64: Int64?
}

/// The cases of Apache Avro's `share/test/data/schema-tests.txt`, under the Apache License 2.0.
let canonicalCases: [CanonicalCase] = [
    CanonicalCase(
        input: #""null""#,
        form: #""null""#,
        crc64: 7195948357588979594
    ),
    CanonicalCase(
        input: #"{"type":"null"}"#,
        form: #""null""#
    ),
    CanonicalCase(
        input: #""boolean""#,
        form: #""boolean""#,
        crc64: -6970731678124411036
    ),
    CanonicalCase(
        input: #"{"type":"boolean"}"#,
        form: #""boolean""#
    ),
    CanonicalCase(
        input: #""int""#,
        form: #""int""#,
        crc64: 8247732601305521295
    ),
    CanonicalCase(
        input: #"{"type":"int"}"#,
        form: #""int""#
    ),
    CanonicalCase(
        input: #""long""#,
        form: #""long""#,
        crc64: -3434872931120570953
    ),
    CanonicalCase(
        input: #"{"type":"long"}"#,
        form: #""long""#
    ),
    CanonicalCase(
        input: #""float""#,
        form: #""float""#,
        crc64: 5583340709985441680
    ),
    CanonicalCase(
        input: #"{"type":"float"}"#,
        form: #""float""#
    ),
    CanonicalCase(
        input: #""double""#,
        form: #""double""#,
        crc64: -8181574048448539266
    ),
    CanonicalCase(
        input: #"{"type":"double"}"#,
        form: #""double""#
    ),
    CanonicalCase(
        input: #""bytes""#,
        form: #""bytes""#,
        crc64: 5746618253357095269
    ),
    CanonicalCase(
        input: #"{"type":"bytes"}"#,
        form: #""bytes""#
    ),
    CanonicalCase(
        input: #""string""#,
        form: #""string""#,
        crc64: -8142146995180207161
    ),
    CanonicalCase(
        input: #"{"type":"string"}"#,
        form: #""string""#
    ),
    CanonicalCase(
        input: #"[  ]"#,
        form: #"[]"#,
        crc64: -1241056759729112623
    ),
    CanonicalCase(
        input: #"[ "int"  ]"#,
        form: #"["int"]"#,
        crc64: -5232228896498058493
    ),
    CanonicalCase(
        input: #"[ "int" , {"type":"boolean"} ]"#,
        form: #"["int","boolean"]"#,
        crc64: 5392556393470105090
    ),
    CanonicalCase(
        input: #"{"fields":[], "type":"record", "name":"foo"}"#,
        form: #"{"name":"foo","type":"record","fields":[]}"#,
        crc64: -4824392279771201922
    ),
    CanonicalCase(
        input: #"{"fields":[], "type":"record", "name":"foo", "namespace":"x.y"}"#,
        form: #"{"name":"x.y.foo","type":"record","fields":[]}"#,
        crc64: 5916914534497305771
    ),
    CanonicalCase(
        input: #"{"fields":[], "type":"record", "name":"a.b.foo", "namespace":"x.y"}"#,
        form: #"{"name":"a.b.foo","type":"record","fields":[]}"#,
        crc64: -4616218487480524110
    ),
    CanonicalCase(
        input: #"{"fields":[], "type":"record", "name":"foo", "doc":"Useful info"}"#,
        form: #"{"name":"foo","type":"record","fields":[]}"#,
        crc64: -4824392279771201922
    ),
    CanonicalCase(
        input: #"{"fields":[], "type":"record", "name":"foo", "aliases":["foo","bar"]}"#,
        form: #"{"name":"foo","type":"record","fields":[]}"#,
        crc64: -4824392279771201922
    ),
    CanonicalCase(
        input: #"{"fields":[], "type":"record", "name":"foo", "doc":"foo", "aliases":["foo","bar"]}"#,
        form: #"{"name":"foo","type":"record","fields":[]}"#,
        crc64: -4824392279771201922
    ),
    CanonicalCase(
        input: #"{"fields":[{"type":{"type":"boolean"}, "name":"f1"}], "type":"record", "name":"foo"}"#,
        form: #"{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"}]}"#,
        crc64: 7843277075252814651
    ),
    CanonicalCase(
        input:
            #"{ "fields":[{"type":"boolean", "aliases":[], "name":"f1", "default":true}, {"order":"descending","name":"f2","doc":"Hello","type":"int"}], "type":"record", "name":"foo" }"#,
        form: #"{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"},{"name":"f2","type":"int"}]}"#,
        crc64: -4860222112080293046
    ),
    CanonicalCase(
        input: #"{"type":"enum", "name":"foo", "symbols":["A1"]}"#,
        form: #"{"name":"foo","type":"enum","symbols":["A1"]}"#,
        crc64: -6342190197741309591
    ),
    CanonicalCase(
        input: #"{"namespace":"x.y.z", "type":"enum", "name":"foo", "doc":"foo bar", "symbols":["A1", "A2"]}"#,
        form: #"{"name":"x.y.z.foo","type":"enum","symbols":["A1","A2"]}"#,
        crc64: -4448647247586288245
    ),
    CanonicalCase(
        input: #"{"name":"foo","type":"fixed","size":15}"#,
        form: #"{"name":"foo","type":"fixed","size":15}"#,
        crc64: 1756455273707447556
    ),
    CanonicalCase(
        input: #"{"namespace":"x.y.z", "type":"fixed", "name":"foo", "doc":"foo bar", "size":32}"#,
        form: #"{"name":"x.y.z.foo","type":"fixed","size":32}"#,
        crc64: -3064184465700546786
    ),
    CanonicalCase(
        input: #"{ "items":{"type":"null"}, "type":"array"}"#,
        form: #"{"type":"array","items":"null"}"#,
        crc64: -589620603366471059
    ),
    CanonicalCase(
        input: #"{ "values":"string", "type":"map"}"#,
        form: #"{"type":"map","values":"string"}"#,
        crc64: -8732877298790414990
    ),
    CanonicalCase(
        input:
            #"{"name":"PigValue","type":"record", "fields":[{"name":"value", "type":["null", "int", "long", "PigValue"]}]}"#,
        form:
            #"{"name":"PigValue","type":"record","fields":[{"name":"value","type":["null","int","long","PigValue"]}]}"#,
        crc64: -1759257747318642341
    ),
]
