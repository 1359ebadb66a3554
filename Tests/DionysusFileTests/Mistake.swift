import Foundation
import Testing

/// A mistake in ``CompleteFile``, and what is said about it.
struct Mistake: Sendable, CustomTestStringConvertible {
    /// The file with the mistake.
    let file: String
    /// Where it is, as messages say it.
    let place: String
    /// A part of the message.
    let message: String
    let testDescription: String

    /// - Parameters:
    ///   - right: What is replaced in the file.
    ///   - wrong: What stands there instead; `¦` marks the mistake.
    init(_ right: String, _ wrong: String, _ message: String) {
        let text = CompleteFile.text
        let range = text.range(of: right) ?? text.startIndex..<text.startIndex
        let marked = text.replacingCharacters(in: range, with: wrong)
        let before = marked.prefix { $0 != "¦" }
        let line = before.count { $0 == "\n" } + 1
        let column = before.reversed().prefix { $0 != "\n" }.count + 1
        file = marked.replacingOccurrences(of: "¦", with: "")
        place = "f.yml:\(line):\(column): "
        self.message = message
        testDescription = wrong.replacingOccurrences(of: "\n", with: " ")
    }

    static let all: [Mistake] = [
        Mistake("dionysus: 1", "dionysus: ¦2", "must be a whole number from 1 to 1"),
        Mistake("name: bookings", "¦nam: bookings", "did you mean name?"),
        Mistake("name: bookings", "name: ¦[bookings]", "must be a text, and is a list"),
        Mistake("name: bookings", "¦zzz: bookings", "has no key zzz; the keys are"),
        Mistake("source:\n", "¦souce:\n", "did you mean source?"),
        Mistake("  database: ${SOURCE", "  ¦datbase: ${SOURCE", "did you mean database?"),
        Mistake("${SOURCE_DATABASE_URL:-sqlite:source.sqlite}", "¦${SOURCE_DATABASE_URL", "has no end"),
        Mistake("${SEED}", "¦${SEDE}", "SEDE is not set"),
        Mistake("${SEED}", "¦${S-EED}", "letters, digits and _"),
        Mistake("postgresql: [", "¦postgres: [", "did you mean postgresql?"),
        Mistake("  registry: http", "  ¦registy: http", "did you mean registry?"),
        Mistake("  Account:\n    table: accounts", "  Account:\n    ¦tabel: accounts", "did you mean table?"),
        Mistake("name: text, zone", "name: ¦txt, zone", "did you mean text?"),
        Mistake("name: text, zone", "name: ¦point, zone", "there is no type point; the types are"),
        Mistake("'text[]?'", "¦'text[][]'", "there is no type"),
        Mistake("model: Country, column", "model: ¦Contry, column", "there is no model Contry; did you mean Country?"),
        Mistake("column: country_id }", "column: ¦county_id }", "did you mean country_id?"),
        Mistake("column: country_id }", "¦colum: country_id }", "did you mean column?"),
        Mistake("model: Rental, column: account_id", "model: Rental, column: ¦acount_id", "did you mean account_id?"),
        Mistake(
            "      rentals: { model: Rental, column: account_id }",
            "      ¦rentals: { column: account_id }",
            "lacks model, or through"
        ),
        Mistake("through: rentals, source: fees", "through: ¦rental, source: fees", "did you mean rentals?"),
        Mistake("through: rentals, source: fees", "through: rentals, source: ¦fee", "did you mean fees?"),
        Mistake(
            "      fees: { through: rentals, source: fees }",
            "      ¦fees: { through: rentals, model: Fee }",
            "excludes"
        ),
        Mistake("    has_many:\n      rentals", "    ¦hasmany:\n      rentals", "did you mean has_many?"),
        Mistake("changeset: names", "changeset: ¦name", "did you mean names?"),
        Mistake(
            "publish_after_soft_delete: { column",
            "publish_after_soft_delete: ¦maybe #{ column",
            "must be true or false"
        ),
        Mistake("any_of: [archive, audit]", "any_of: ¦archive", "must be a list"),
        Mistake("{ column: kind, any_of", "¦{ any_of", "lacks column"),
        Mistake("      price: decimal", "      price: ¦decimals", "did you mean decimal?"),
        Mistake("      subject_type: text\n", "      subject_type: ¦text?[]\n", "there is no type"),
        Mistake("models: [Account, Fee]", "models: [Account, ¦Fees]", "did you mean Fee?"),
        Mistake(
            "column: subject_id, type: subject_type",
            "column: ¦subject, type: subject_type",
            "has no column subject"
        ),
        Mistake(
            "column: subject_id, type: subject_type",
            "column: subject_id, type: ¦subjecttype",
            "did you mean subject_type?"
        ),
        Mistake(
            "      subject: { models: [Account, Fee], column: subject_id, type: subject_type }",
            "      ¦subject: { models: [Account, Fee], column: subject_id }",
            "belong together"
        ),
        Mistake("      account: { model: Account }", "      ¦account: { column: account_id }", "needs either a model"),
        Mistake("owner_id, type: owner_type", "owner_id, type: ¦owner_typ", "did you mean owner_type?"),
        Mistake("taken_on: date", "taken_on: ¦dates", "did you mean date?"),
        Mistake(
            "      Account:\n        attributes: [id, name",
            "      ¦Acount:\n        attributes: [id, name",
            "did you mean Account?"
        ),
        Mistake("attributes: [id, name, tags]", "attributes: [id, ¦nam, tags]", "did you mean name?"),
        Mistake("attributes: [id, name, tags]", "attributes: [id, name, ¦name]", "listed twice"),
        Mistake("attributes: [id, name, tags]", "attributes: ¦alles", "must be all"),
        Mistake(
            "        attributes: [id, name, tags]",
            "        ¦attribute: [id, name, tags]",
            "did you mean attributes?"
        ),
        Mistake("price: { scale: 2 }", "price: { scale: ¦two }", "must be a whole number from 0 to 38"),
        Mistake("price: { scale: 2 }", "price: { scale: ¦99 }", "must be a whole number from 0 to 38"),
        Mistake("price: { scale: 2 }", "price: { ¦scala: 2 }", "did you mean scale?"),
        Mistake("price: { scale: 2 }", "¦prize: { scale: 2 }", "did you mean price?"),
        Mistake("type: text?, via: [account]", "type: ¦texts?, via: [account]", "did you mean text?"),
        Mistake("via: [account]", "via: [¦acount]", "did you mean account?"),
        Mistake("via: [account]", "via: [¦subject]", "leads to several models"),
        Mistake("fee_count: { sql: SELECT", "fee_count: { ¦sqll: SELECT", "did you mean sql?"),
        Mistake("          fee_count:", "          ¦price:", "listed twice"),
        Mistake("links: { owner: account", "links: { owner: ¦acount", "did you mean account?"),
        Mistake("fees: many, subject", "fees: ¦one, subject", "leads to many records"),
        Mistake("subject: one", "subject: ¦many", "leads to one record"),
        Mistake("        attributes: all", "        attributes: ¦{ all: 1 }", "must be"),
        Mistake(
            "    topics:\n      rentals:\n        partition",
            "    ¦topic:\n      rentals:\n        partition",
            "did you mean topics?"
        ),
        Mistake("partition_key: account_id\n", "¦partion_key: account_id\n", "did you mean partition_key?"),
        Mistake("encoding: envelope", "encoding: ¦envelop", "did you mean envelope?"),
        Mistake("encoding: envelope", "encoding: ¦auto", "must be one of envelope, json, avro, json_schema"),
        Mistake("genesis: true", "genesis: ¦maybe", "must be true or false"),
        Mistake("wire: dionysus-rb", "wire: ¦dionysus_rb", "did you mean dionysus-rb?"),
        Mistake("partitions: 8", "partitions: ¦0", "from 1 to 100000"),
        Mistake("partitions: 8", "partitions: ¦many", "from 1 to 100000"),
        Mistake("replication_factor: 1", "replication_factor: ¦-1", "from 1 to 1000"),
        Mistake("cleanup_policy: compact", "cleanup_policy: ¦compakt", "did you mean compact?"),
        Mistake("retention: 30d", "retention: ¦30 days", "a time such as"),
        Mistake("genesis_settings: { partitions", "genesis_settings: { ¦partitons", "did you mean partitions?"),
        Mistake("          Rental:\n            with", "          ¦Rentl:\n            with", "did you mean Rental?"),
        Mistake("with: [fees, photo]", "with: [¦fee, photo]", "did you mean fees?"),
        Mistake("            observing:", "            ¦observe:", "has no key observe; the keys are"),
        Mistake("- { model: Account, columns: [zone]", "- { model: ¦Acount, columns: [zone]", "did you mean Account?"),
        Mistake("columns: [zone]", "columns: [¦zon]", "did you mean zone?"),
        Mistake("through: rentals }\n", "through: ¦rental }\n", "did you mean rentals?"),
        Mistake(
            "through: rentals }\n            partition",
            "through: ¦country }\n            partition",
            "leads from Account to Country, and not to Rental"
        ),
        Mistake(
            "through: rentals }\n            partition",
            "through: ¦rentals. }\n            partition",
            "has no association"
        ),
        Mistake("- { model: Account, columns: [zone], through", "- ¦{ columns: [zone], through", "lacks model"),
        Mistake(
            "            partition_key: message_key",
            "            partition_key: ¦acount_id",
            "did you mean account_id?"
        ),
        Mistake("after_commit: true", "after_commit: ¦yes", "must be true or false"),
        Mistake("{ record: json, key", "{ record: ¦jason, key", "did you mean json?"),
        Mistake("{ envelope: avro, key", "{ envelope: ¦arvo, key", "did you mean avro?"),
        Mistake(
            "{ envelope: avro, key: message",
            "{ envelope: avro, ¦deletions: marked",
            "an envelope's encoding has no key deletions"
        ),
        Mistake(
            "{ envelope: avro, key",
            "{ ¦envelop: avro, key",
            "an envelope's encoding has no key envelop; did you mean envelope?"
        ),
        Mistake("key: { field: id }", "key: { ¦feld: id }", "did you mean field?"),
        Mistake("key: { field: id }", "key: ¦plane", "must be"),
        Mistake("deletions: marked", "deletions: ¦mark", "must be one of null, marked"),
        Mistake("publish: [Account]", "publish: [¦Country]", "Country has no serializer in this namespace"),
        Mistake("publish: [Account]", "publish: [¦Acount]", "did you mean Account?"),
        Mistake("        publish: [Account]", "        ¦publishes: [Account]", "did you mean publish?"),
        Mistake(
            "  models:\n    Rental:\n      table: mirrors",
            "  ¦model:\n    Rental:\n      table: mirrors",
            "did you mean models?"
        ),
        Mistake("      table: mirrors", "      ¦tables: mirrors", "did you mean table?"),
        Mistake(
            "      rename: { name: title }",
            "      rename: ¦[name, title]",
            "must be attributes with their values"
        ),
        Mistake("soft_delete: true", "soft_delete: ¦removed_at", "must be true or false"),
        Mistake("read_only: [note]", "read_only: ¦note", "must be a list"),
        Mistake("columns: { id: remote_id", "columns: { ¦ids: remote_id", "did you mean id?"),
        Mistake("{ foreign_key: remote", "{ ¦foreignkey: remote", "did you mean foreign_key?"),
        Mistake("{ table: rental_tags, parent", "¦{ parent", "lacks table"),
        Mistake("Country: { ignore: true }", "Country: { ¦ignored: true }", "did you mean ignore?"),
        Mistake(
            "  namespaces:\n    v1:\n      models",
            "  ¦namespace:\n    v1:\n      models",
            "did you mean namespaces?"
        ),
        Mistake("      topics: [hosts]", "      ¦topic: [hosts]", "did you mean topics?"),
        Mistake("accept: [Rental, Fee]", "¦accepts: [Rental, Fee]", "did you mean accept?"),
        Mistake("accept: any", "accept: ¦anyone", "must be"),
        Mistake("on_failure: skip", "on_failure: ¦skipp", "must be"),
        Mistake("{ dead_letter: dead_messages, max_retries: 3 }", "¦{ max_retries: 3 }", "lacks dead_letter"),
        Mistake("max_retries: 3 }", "max_retries: ¦-3 }", "from 0 to 1000"),
        Mistake("initial: 100ms", "initial: ¦100", "a time such as"),
        Mistake("batches: whole", "batches: ¦hole", "did you mean whole?"),
        Mistake("start: latest", "start: ¦last", "must be earliest, latest, or a time"),
        Mistake("lanes: 4", "lanes: ¦257", "from 1 to 256"),
        Mistake("batch_size: 500", "batch_size: ¦many", "batch_size must be a whole number"),
        Mistake("batch_size: 500", "¦batchsize: 500", "did you mean batch_size?"),
        Mistake("create_topics: true", "create_topics: ¦perhaps", "create_topics must be true or false"),
        Mistake("  retention: 3d\n  create", "  retention: ¦3 d\n  create", "retention must be"),
        Mistake(
            "by: time, column: changed_at",
            "by: time, column: changed_at, ¦failed: x",
            "a poll by time has no key failed"
        ),
        Mistake("by: time, column: changed_at, ", "by: ¦times, column: changed_at, ", "did you mean time?"),
        Mistake("- { by: time, column: changed_at, ", "- ¦{ by: time, ", "a poll lacks column"),
        Mistake("    capture: application\n", "    capture: ¦applicaton\n", "did you mean application?"),
        Mistake(
            "messages: true\n        compacted",
            "messages: true\n        genesis: ¦true\n        compacted",
            "a topic of messages that are no model's has no key genesis"
        ),
        Mistake(
            "publish: [Fee]",
            "compacted_while_waiting: ¦true\n        publish: [Fee]",
            "is for topics of messages"
        ),
        Mistake(
            "      gadgets: { encoding: { envelope: avro, key: message, framing: bare }, publish: [Gadget] }",
            "      ¦gadgets: { partitions: 3 }",
            "a topic lacks publish, or messages: true"
        ),
        Mistake("cloud_events: structured", "cloud_events: ¦structred", "did you mean structured?"),
        Mistake("encoding: debezium", "encoding: ¦debezum", "did you mean debezium?"),
        Mistake("made_on: days", "made_on: ¦day", "there is no type day of Debezium's columns; did you mean days?"),
        Mistake("aggregate_type: kind", "¦agregate_type: kind", "did you mean aggregate_type?"),
        Mistake("'2026-05-01T00:00:00Z'", "¦yesterday", "a time such as 2026-05-01T00:00:00Z"),
        Mistake("sharing: message_keys", "sharing: ¦keys", "must be one of records, message_keys"),
        Mistake("named: in_full", "named: ¦in_ful", "did you mean in_full?"),
    ]
}
