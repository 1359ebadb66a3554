import DionysusFile
import Foundation

/// A file with every part that there is.
enum CompleteFile {
    static let text = """
        dionysus: 1
        name: bookings
        source:
          database: ${SOURCE_DATABASE_URL:-sqlite:source.sqlite}
          migrate:
            postgresql: [CREATE TABLE IF NOT EXISTS a (id int)]
            sqlite: [CREATE TABLE IF NOT EXISTS a (id int)]
          debezium_outboxes:
            - table: shop.outbox
              topic: shop.$${aggregatetype}.events
              columns: { id: event_id, aggregate_type: kind, aggregate_id: subject, type: happened, payload: body }
              headers: { tenant: tenant_id }
        broker:
          seed: ${SEED}
          registry: http://localhost:8081
        models:
          Account:
            table: accounts
            key: id
            columns: { id: integer, name: text, zone: text?, tags: 'text[]?', country_id: integer }
            belongs_to:
              country: { model: Country, column: country_id }
            has_many:
              rentals: { model: Rental, column: account_id }
              fees: { through: rentals, source: fees }
          Country:
            columns: { id: integer, code: text }
          Rental:
            soft_delete: removed_at
            publish_after_soft_delete: { column: kind, any_of: [archive, audit] }
            changeset: names
            columns:
              id: integer
              account_id: integer
              price: decimal
              kind: text
              removed_at: timestamp?
              subject_id: integer
              subject_type: text
            belongs_to:
              account: { model: Account }
              subject: { models: [Account, Fee], column: subject_id, type: subject_type }
            has_many:
              fees: { model: Fee }
            has_one:
              photo: { model: Photo, column: owner_id, type: owner_type }
          Fee:
            columns: { id: integer, rental_id: integer, amount: decimal }
          Photo:
            columns: { id: uuid, owner_id: integer, owner_type: text, taken_on: date, data: bytes, meta: json }
          Widget:
            key: number
            columns: { number: integer, state: text, changed_at: timestamp }
            polls:
              - { by: time, column: changed_at, every: 5m, delay: 10s, rereading: 2h, from_now: true }
              - { by: state, column: state, published: done, failed: broken, published_at: changed_at, name: states }
              - { by: full_table, deletions: true, every: 1d }
          Gadget:
            capture: application
            columns: { id: integer }
        namespaces:
          v1:
            serializers:
              Account:
                attributes: [id, name, tags]
                links: { all_fees: fees }
              Rental:
                attributes:
                  - id
                  - price: { scale: 2 }
                  - zone: { sql: SELECT a.zone FROM accounts a WHERE a.id = rental.account_id, type: text?, via: [account] }
                computed:
                  total: { sql: total_of(rental.id), reading: { fees: [amount] }, scale: 2 }
                  fee_count: { sql: SELECT count(*) FROM fees f WHERE f.rental_id = rental.id, type: integer }
                links: { owner: account, fees: many, subject: one, photo: one }
              Fee:
                attributes: all
              Photo:
                attributes: [id, taken_on]
              Widget:
                attributes: all
              Gadget:
                attributes: all
            topics:
              rentals:
                partition_key: account_id
                encoding: envelope
                genesis: true
                wire: dionysus-rb
                partitions: 8
                replication_factor: 1
                cleanup_policy: compact
                retention: 30d
                settings: { max.message.bytes: 1000000 }
                genesis_settings: { partitions: 4, retention: forever }
                publish:
                  Rental:
                    with: [fees, photo]
                    observing:
                      - { model: Account, columns: [zone], through: rentals }
                    partition_key: message_key
                    after_commit: true
              accounts:
                encoding: { record: json, key: { field: id }, deletions: marked }
                publish: [Account]
              widgets:
                encoding: { record: avro, key: { schema: { name: shop.WidgetKey, folder: schemas } }, framing: bare }
                cloud_events: structured
                publish: [Widget]
              gadgets: { encoding: { envelope: avro, key: message, framing: bare }, publish: [Gadget] }
              fees:
                encoding: { record: json_schema, schema: '{"type": "object"}', framing: bare }
                publish: [Fee]
              prices:
                messages: true
                compacted_while_waiting: true
        replica:
          database: sqlite:replica.sqlite
          migrate: [CREATE TABLE IF NOT EXISTS b (id int)]
          models:
            Rental:
              table: mirrors
              rename: { name: title }
              soft_delete: true
              read_only: [note]
              columns: { id: remote_id, prefix: remote_ }
              replace: { fees: { foreign_key: remote_rental_id } }
              join: { tags: { table: rental_tags, parent: rental_id, member: tag_id } }
            Country: { ignore: true }
          namespaces:
            v1:
              models:
                Fee:
                  table: old_fees
                  replace: [parts]
                  columns:
                    created_at: made_at
                    updated_at: changed_at
                    canceled_at: gone_at
                    version: source_version
                    data: payload
                    local_created_at: inserted_at
                    local_updated_at: written_at
              topics:
                rentals:
                  accept: [Rental, Fee]
                  encoding: auto
                  event_log: true
                  on_failure: { dead_letter: dead_messages, max_retries: 3 }
                  retry: { max_retries: 5, initial: 100ms, maximum: 30s }
                  only: { zone: [eu, us] }
                  except: { kind: [test] }
                  batches: whole
                  start: latest
                  delete_on_tombstone: true
                  verified: true
                  sharing: message_keys
                  lanes: 4
                accounts: { accept: any, on_failure: skip, encoding: { envelope: json, key: { field: id } } }
            v2:
              topics: [hosts]
            v3:
              topics:
                inventory.public.widgets:
                  named: in_full
                  accept: [Widget]
                  encoding: debezium
                  rows:
                    key: number
                    columns: { price: decimal(2), made_on: days }
                    order: time
                    unavailable_value: __gone
                widgets_[a-z]+: { named: by_pattern, imports: true, start: '2026-05-01T00:00:00Z', event_log: checksum }
                prices: { messages: true, batches: latest_of_key, cloud_events: binary }
        settings:
          batch_size: 500
          retention: 3d
          create_topics: true

        """

    static func read(_ text: String, environment: [String: String] = ["SEED": "embedded:log.sqlite"]) throws
        -> DeclarationFile
    {
        try DeclarationFile(Data(text.utf8), path: "f.yml", environment: environment, needsVariables: true)
    }
}
