//! One file a hook. Program names end in the way they attach; the tp_btf and fentry twins carry the plain name.

pub(crate) mod empty;
pub(crate) mod inet_sock_set_state;
pub(crate) mod kfree_skb;
pub(crate) mod net_dev_queue;
pub(crate) mod net_dev_start_xmit;
pub(crate) mod net_dev_xmit;
pub(crate) mod path_queue;
pub(crate) mod path_segment;
pub(crate) mod skb_gso_segment;
pub(crate) mod skb_segment;
pub(crate) mod stack_sample;
pub(crate) mod tcp_sendmsg;
