import Dionysus
import DionysusProducer

struct AccountSerializer: ModelSerializer {
    var fields: Fields<Account> {
        Attributes(.id, .name, .defaultCheckInTime, .createdAt, .updatedAt)
    }
}

struct RentalSerializer: ModelSerializer {
    var fields: Fields<Rental> {
        Attributes(.id, .name)
        Attribute(.price, scale: 2)
        Attributes(.bedrooms)
        Attribute("check_in_time", loading: Rental.account) { rental, related in
            try rental.ownCheckInTime ?? related[Rental.account].defaultCheckInTime
        }
        Attributes(.canceledAt, .createdAt, .updatedAt)
        HasOne("account", Rental.account)
    }
}

struct BookingSerializer: ModelSerializer {
    var fields: Fields<Booking> {
        Attributes(.id, .startAt)
        Attribute("final_price", scale: 2, loading: Booking.fees) { booking, related in
            try related[Booking.fees].reduce(booking.basePrice) { $0 + $1.amount }
        }
        Attributes(.canceledAt, .createdAt, .updatedAt)
        HasOne("rental", Booking.rental)
        HasMany("bookings_fees", Booking.fees)
    }
}

struct BookingsFeeSerializer: ModelSerializer {
    var fields: Fields<BookingsFee> {
        Attributes(.id, .name)
        Attribute(.amount, scale: 2)
        Attributes(.createdAt, .updatedAt)
        HasOne("booking", BookingsFee.booking)
    }
}

/// The source's declaration.
struct BookingSync: Producer {
    let serializers = Serializers {
        AccountSerializer()
        RentalSerializer()
        BookingSerializer()
        BookingsFeeSerializer()
    }
    /// Whether the topics of the feed are declared, too.
    var hasFeed = Feed.isDeclared

    var namespaces: [Namespace] {
        Namespace("v3", serializers: serializers) {
            Topic("accounts", partitionKey: Account.CodingKeys.id, genesisReplica: true) { Publish(Account.self) }
            Topic("rentals", partitionKey: Rental.CodingKeys.accountID) {
                Publish(Rental.self).observing(Account.self, .defaultCheckInTime, through: Account.rentals)
            }
            Topic("bookings") {
                Publish(Booking.self, with: Booking.fees).partitioned(by: .rentalID)
            }
        }
        if hasFeed { Feed.published(serializers) }
    }
}
